package egress

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
)

func TestParseHost(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"allowed.test": "allowed.test", "ALLOWED.test": "allowed.test", "allowed.test.": "allowed.test",
		"a_b.example.com": "a_b.example.com", "bücher.example": "xn--bcher-kva.example", "BÜCHER.example": "xn--bcher-kva.example",
		"xn--bcher-kva.example": "xn--bcher-kva.example", "allowed。test": "allowed.test", // the ideographic full stop
		"198.51.100.7": "198.51.100.7", "１９８.51.100.7": "198.51.100.7", "198.51.100.7.": "198.51.100.7",
		"[2001:db8::7]": "2001:db8::7", "2001:DB8:0::7": "2001:db8::7", "[::ffff:127.0.0.1]": "127.0.0.1",
		"localhost": "localhost", "1password.com": "1password.com", "a--b.test": "a--b.test",
	} {
		if h, err := ParseHost(text); err != nil || h.String() != want {
			t.Errorf("%q: %q, %v, want %q", text, h, err, want)
		}
	}
	for _, text := range []string{
		"", ".", "..", "a..b", "allowed.test..", ".allowed.test", "-a.test", "a-.test", "_", "__.test", "a.-.test",
		"allowed.test@evil.test", "evil.test#allowed.test", "evil.test\x00.allowed.test", "a b", "a\tb", "a\r\nb", "a%2eb", "a/b", `a\b`, "*.test", "a?b",
		"0x7f.1", "0x7f000001", "2130706433", "127.1", "0177.0.0.1", "127.0.0.01", "1.2.3.4.5", "256.1.1.1", "1.2.3", "a.0x1", "a.1", "0x", "a.0x",
		"[fe80::1%eth0]", "fe80::1%25eth0", "[127.0.0.1]", "[::1", "::1]", "[]", "::g", "xn--a", "xn--.test", "xn--bcher-KVA-.test", "a\xffb",
		"allowed\u200btest\u200b\u202e", strings.Repeat("a", 64) + ".test", strings.Repeat("abcdefg.", 32) + "test",
	} {
		if h, err := ParseHost(text); err == nil {
			t.Errorf("%q is taken for %q", text, h)
		}
	}
}

func TestClass(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]class{
		"198.51.100.7": "", "8.8.8.8": "", "2001:db8::7": "", "2606:4700::1": "", "64:ff9b::808:808": "", "2002:808:808::1": "",
		"127.0.0.1": loopback, "127.255.0.9": loopback, "::1": loopback, "0.0.0.0": unspecified, "0.1.2.3": unspecified, "::": unspecified,
		"169.254.169.254": metadata, "100.100.100.200": metadata, "168.63.129.16": metadata, "192.0.0.192": metadata, "fd00:ec2::254": metadata, "fd20:ce::254": metadata,
		"169.254.1.1": linkLocal, "fe80::1": linkLocal, "fe80::1%lo": linkLocal, "2001:db8::1%lo": linkLocal,
		"10.1.2.3": private, "172.31.0.1": private, "192.168.1.1": private, "100.64.0.1": private, "fd12::1": private, "fec0::1": private,
		"224.0.0.1": multicast, "ff02::1": multicast, "255.255.255.255": reserved, "240.0.0.1": reserved, "2001::1": reserved,
		"::ffff:127.0.0.1": loopback, "::127.0.0.1": loopback, "::ffff:0:127.0.0.1": loopback, "64:ff9b::7f00:1": loopback, "64:ff9b::a9fe:a9fe": metadata,
		"64:ff9b:1::10.0.0.1": private, "2002:7f00:1::": loopback, "2002:a9fe:a9fe::1": metadata, "2002:a00:1::1": private,
	} {
		if got := classOf(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestEntries checks which entries are errors at the start.
func TestEntries(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "*", "*:443", "*.", "*.com", "*.co.uk", "*.test", "*.*.test", "a.*.test", "**.a.test", "*a.example.com", "example.com:0", "example.com:65536", "example.com:", "example.com:080",
		"example.com:a", "https://example.com", "example.com/", "example.com/x", "user@example.com", "10.0.0.1/8", "10.0.0.0/33", "0.0.0.0/0", "::/0", "::ffff:10.0.0.0/104",
		"0x7f.1", "*.10.0.0.1", "example.com,opaque", "example.com:22,opague", "example.com:22 ", " example.com", "@packages", "[::1", "::1:80:",
	} {
		if _, err := NewRules(nil, text); deskhand.CodeOf(err) != deskhand.Invalid || err != nil && !strings.Contains(err.Error(), "cannot be allowed") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{
		"api.anthropic.com", "API.anthropic.com.", "api.anthropic.com:8443", "gateway.test:4000", "bedrock-runtime.eu-central-1.amazonaws.com", "bedrock-mantle.us-east-1.api.aws",
		"aws-external-anthropic.us-east-1.api.aws", "aiplatform.googleapis.com", "us-east5-aiplatform.googleapis.com", "aiplatform.eu.rep.googleapis.com", "claude.googleapis.com",
		"mine.services.ai.azure.com",
	} {
		if _, err := NewRules([]string{"gateway.test:4000"}, text); deskhand.CodeOf(err) != deskhand.Denied {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	r, err := NewRules([]string{"gateway.test:4000", "198.51.100.9:4000"}, "allowed.test", "*.example.com", "git.test:22,opaque", "198.51.100.7:8080", "10.1.2.0/24", "Bücher.example:81", "[2001:db8::7]", "*.anthropic.com", "gateway.test:80", "*.amazonaws.com", "*.googleapis.com")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"allowed.test:443": true, "allowed.test:80": true, "ALLOWED.test.:443": true,
		"allowed.test:22": false, "allowed.test:25": false, "allowed.test:3306": false, "allowed.test:8080": false,
		"allowed.test.evil.test:443": false, "evilallowed.test:443": false, "www.allowed.test:443": false, "ɑllowed.test:443": false,
		"a.example.com:443": true, "a.b.example.com:443": true, "example.com:443": false, "evilexample.com:443": false, "example.com.evil.test:443": false,
		"git.test:22": true, "git.test:443": false, "198.51.100.7:8080": true, "198.51.100.7:80": false, "10.1.2.3:9999": true, "10.1.3.3:80": false,
		"xn--bcher-kva.example:81": true, "[2001:db8::7]:443": true, "[2001:db8::8]:443": false,
		"api.anthropic.com:443": false, "docs.anthropic.com:443": true,
		"s3.eu-central-1.amazonaws.com:443": true, "bedrock-runtime-fips.us-east-1.amazonaws.com:443": false, "vpce-1-x.bedrock-runtime.us-east-1.vpce.amazonaws.com:443": false,
		"storage.googleapis.com:443": true, "europe-west1-aiplatform.googleapis.com:443": false,
		"gateway.test:4000": false, "gateway.test:80": true,
	} {
		h, port, err := parseAuthority(text, 0)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		d := r.Decide(h, port)
		if d.Allowed != want || d.Rule == "" || !d.Allowed && d.Reason == "" {
			t.Errorf("%q: %+v, want %t", text, d, want)
		}
	}
	if !r.Never(netip.MustParseAddr("::ffff:198.51.100.9"), 4000) || r.Never(netip.MustParseAddr("198.51.100.9"), 80) {
		t.Error("what is never reachable by number")
	}
}

// TestNothingListed is CVE-2025-66479: an empty list must not mean everything.
func TestNothingListed(t *testing.T) {
	t.Parallel()
	r, err := NewRules(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Rules{r, {}} {
		for _, name := range []string{"allowed.test", "localhost", "127.0.0.1", "*", ""} {
			h, _ := ParseHost(name)
			if r.Decide(h, 443).Allowed {
				t.Errorf("%q is allowed by an empty list", name)
			}
		}
	}
}

func TestListedAddresses(t *testing.T) {
	t.Parallel()
	r, err := NewRules(nil, "10.1.2.0/24", "127.0.0.1:8080", "169.254.0.0/16", "100.100.100.200")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"10.1.2.3:5": true, "10.1.3.3:5": false, "127.0.0.1:8080": true, "127.0.0.1:8081": false, "[::ffff:127.0.0.1]:8080": true,
		"169.254.1.1:80": true, "169.254.169.254:80": false, "100.100.100.200:80": true,
	} {
		a := netip.MustParseAddrPort(text)
		if r.Listed(a.Addr(), a.Port()) != want {
			t.Errorf("%s: listed is not %t", text, want)
		}
	}
}

func TestAddToRunning(t *testing.T) {
	t.Parallel()
	r, err := NewRules(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"later.test", "2001:db8::7"} {
		h, err := ParseHost(text)
		if err != nil {
			t.Fatal(err)
		}
		if r.Decide(h, 8443).Allowed {
			t.Error("allowed before")
		}
		if err := r.AllowHost(h, 8443); err != nil {
			t.Fatal(err)
		}
		if d := r.Decide(h, 8443); !d.Allowed || r.Decide(h, 443).Allowed {
			t.Errorf("after: %+v", d)
		}
	}
	h, _ := ParseHost("api.anthropic.com")
	if err := r.AllowHost(h, 443); deskhand.CodeOf(err) != deskhand.Denied {
		t.Errorf("the model's API: %v", err)
	}
}
