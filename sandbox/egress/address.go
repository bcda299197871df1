package egress

import "net/netip"

// class says what is special about an address; empty for a public one.
type class string

const (
	loopback    class = "a loopback address"
	unspecified class = "no address at all"
	linkLocal   class = "a link-local address"
	multicast   class = "a multicast address"
	private     class = "a private address"
	metadata    class = "a cloud's metadata address"
	reserved    class = "a reserved address"
	own         class = "an address of this machine"
)

// special lists the ranges that nothing inside has any business with. The
// first match counts.
var special = []struct {
	prefix netip.Prefix
	class  class
}{
	{netip.MustParsePrefix("169.254.169.254/32"), metadata}, // most clouds
	{netip.MustParsePrefix("169.254.170.0/24"), metadata},   // credentials of containers
	{netip.MustParsePrefix("100.100.100.200/32"), metadata}, // Alibaba
	{netip.MustParsePrefix("168.63.129.16/32"), metadata},   // Azure
	{netip.MustParsePrefix("192.0.0.192/32"), metadata},     // Oracle
	{netip.MustParsePrefix("fd00:ec2::/32"), metadata},      // Amazon
	{netip.MustParsePrefix("fd20:ce::/32"), metadata},       // Google

	{netip.MustParsePrefix("0.0.0.0/8"), unspecified},
	{netip.MustParsePrefix("::/128"), unspecified},
	{netip.MustParsePrefix("127.0.0.0/8"), loopback},
	{netip.MustParsePrefix("::1/128"), loopback},
	{netip.MustParsePrefix("169.254.0.0/16"), linkLocal},
	{netip.MustParsePrefix("fe80::/10"), linkLocal},
	{netip.MustParsePrefix("10.0.0.0/8"), private},
	{netip.MustParsePrefix("172.16.0.0/12"), private},
	{netip.MustParsePrefix("192.168.0.0/16"), private},
	{netip.MustParsePrefix("100.64.0.0/10"), private}, // shared with the provider
	{netip.MustParsePrefix("198.18.0.0/15"), private}, // benchmarks of networks
	{netip.MustParsePrefix("fc00::/7"), private},
	{netip.MustParsePrefix("fec0::/10"), private}, // site-local, as it once was
	{netip.MustParsePrefix("224.0.0.0/4"), multicast},
	{netip.MustParsePrefix("ff00::/8"), multicast},
	{netip.MustParsePrefix("192.0.0.0/24"), reserved},
	{netip.MustParsePrefix("240.0.0.0/4"), reserved}, // and the broadcast address
	{netip.MustParsePrefix("2001::/32"), reserved},   // Teredo: leads through somebody else's relay
	{netip.MustParsePrefix("100::/64"), reserved},    // discarded
}

// embedding lists the IPv6 ranges that stand for an IPv4 address, and where in
// the sixteen bytes it is.
var embedding = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("::ffff:0:0/96"), 12},
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // translated
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},  // NAT64 of a site, in its /96 form
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4
	{netip.MustParsePrefix("::/96"), 12},           // compatible; after the addresses of its own that lie in it
}

// classOf returns what is special about addr, by itself or by the IPv4 address
// that it stands for.
func classOf(addr netip.Addr) class {
	if addr.Zone() != "" {
		return linkLocal
	}
	addr = addr.Unmap()
	for _, s := range special {
		if s.prefix.Contains(addr) {
			return s.class
		}
	}
	if v4, ok := embedded(addr); ok {
		return classOf(v4)
	}
	return ""
}

// embedded returns the IPv4 address that an IPv6 address stands for.
func embedded(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() {
		return netip.Addr{}, false
	}
	raw := addr.As16()
	for _, e := range embedding {
		if e.prefix.Contains(addr) {
			return netip.AddrFrom4([4]byte(raw[e.at:])), true
		}
	}
	return netip.Addr{}, false
}
