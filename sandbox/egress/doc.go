// Package egress is the only way out of a sandbox: a proxy that connects to
// the hosts that a person listed and to nothing else.
//
// The rules are pure: an entry of the list is parsed or refused at the start
// (Rules), a host that a program names is made canonical or refused (Host), an
// address is classed (see address.go). The Proxy uses that one canonical host
// for the decision, the record, the look-up, the TLS name, the Host header and
// the connection; it looks a name up once, checks what came of it, and dials
// the address that it checked.
//
// It must never: reach a host that is not listed, the model's own API, or an
// address of this machine, its network or its cloud that nobody listed by
// number; look up a name that is not listed; carry UDP; quote a program's text
// to the model; open what is inside TLS.
//
// Trust: whatever speaks to the proxy is hostile, and so is what the names and
// servers answer. What stays open: who is allowed a host can send it anything,
// and a server that serves several names behind one certificate can be asked
// for another of them inside TLS.
package egress
