package egress

import (
	"fmt"
	"strconv"

	"github.com/deskhand/deskhand"
)

// The guards, as records name them.
const (
	guardList       = "list"
	guardModel      = "model-api"
	guardAddress    = "address"
	guardRequest    = "request"
	guardHost       = "host-header"
	guardTLS        = "tls-name"
	guardLimit      = "limit"
	guardCredential = "credential"
)

// Why something is refused. These are the only words that a program, a model
// or a person hears of it.
const (
	reasonUnlisted   = "it is not on the list of allowed hosts"
	reasonModel      = "the model's own API cannot be reached from inside"
	reasonRequest    = "the request is malformed"
	reasonScheme     = "only http and https go through this proxy"
	reasonHostHeader = "the Host header names another host"
	reasonName       = "the TLS handshake names another host"
	reasonNameless   = "the TLS handshake names no host"
	reasonHello      = "the TLS handshake cannot be read"
	reasonNotTLS     = "what was sent is neither TLS nor HTTP for that host"
	reasonSilent     = "nothing was sent in time"
	reasonBytes      = "as many bytes as a task may exchange with one host were exchanged"
	reasonMany       = "too many connections are open"
	reasonHead       = "the header is too large"
	reasonCredential = "the proxy's credential is missing or wrong"
	reasonOthers     = "and many more like it"
)

func reasonAddress(c class) string { return "its name leads to " + string(c) }

// Sentence says in one sentence, for a model or a person, what was refused and
// why. It holds nothing but a canonical host and fixed words.
func Sentence(j deskhand.NetworkJudged) string {
	what := "a connection"
	if j.Host != "" {
		what += " to " + j.Host + ":" + strconv.Itoa(j.Port)
	}
	times := ""
	if j.Count > 1 {
		times = fmt.Sprintf(" %d times", j.Count)
	}
	if j.Allowed {
		return fmt.Sprintf("The network allowed %s.", what)
	}
	return fmt.Sprintf("The network refused %s%s: %s.", what, times, j.Reason)
}
