package policy

import (
	"net/url"
	"slices"
	"strings"
)

var curlLooks = usage{flags: "sSfIivLgkN46#", valued: "HAmeow", long: "silent show-error fail head include location verbose max-time= compressed header= user-agent= output= connect-timeout= fail-with-body"}

func curl(t *then, p *Part, args []word) {
	p.Class, p.Why, p.whole = Reaches, "curl", true
	for i := 1; i < len(args); i++ {
		w := args[i]
		get := w.text == "-X" && i+1 < len(args) && (args[i+1].text == "GET" || args[i+1].text == "HEAD")
		next, ok := false, false
		if w.plain && w.flag() {
			next, ok = curlLooks.takes(w.text)
		}
		switch {
		case !w.plain:
			p.tells("what it sends shows only when it runs")
		case !w.flag():
			p.url(w.text)
		case get:
			i++
		case !ok || next && i+1 == len(args):
			p.tells("curl " + w.text)
		default:
			if next {
				i++
			}
			p.curlFlag(t, w.text, args[i], next)
		}
	}
}

// tells marks a part as one that sends.
func (p *Part) tells(why string) { p.Class, p.Why, p.whole = p.Class.Worse(Sends), why, false }

// curlFlag judges a flag that is known, with its value when that is a word of its own.
func (p *Part) curlFlag(t *then, flag string, value word, given bool) {
	switch {
	case strings.Contains(flag, "L") || flag == "--location":
		p.whole = false // it may be sent on to another host
	case flag == "--output" || short(flag) && strings.HasSuffix(flag, "o"):
		t.writes = append(t.writes, value)
	case strings.HasPrefix(flag, "--output=") || short(flag) && strings.Contains(flag, "o"):
		t.writes = append(t.writes, word{text: "?"}) // the name is within the flag
	case given && (!value.plain || strings.Contains(value.text, "@")):
		p.tells("curl " + flag)
	}
}

// url notes the host of an address that is contacted.
func (p *Part) url(address string) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || strings.ContainsAny(address, "{}[]") {
		p.Class, p.Why, p.whole = p.Class.Worse(Sends), "an address that is not read", false
		return
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	p.hosts = append(p.hosts, host{strings.ToLower(u.Hostname()), port})
}

var wgetSends = []string{"--post", "--method", "--body", "--header", "--user", "--password", "--http-password", "--load-cookies"}

func wget(_ *then, p *Part, args []word) {
	p.Class, p.Why = Reaches, "wget"
	for _, w := range args[1:] {
		switch {
		case !w.plain:
			p.Class, p.Why = p.Class.Worse(Sends), "what it sends shows only when it runs"
		case strings.HasPrefix(w.text, "-e"), strings.HasPrefix(w.text, "--execute"), strings.HasPrefix(w.text, "--use-askpass"), strings.HasPrefix(w.text, "--config"):
			p.Class = p.Class.Worse(Runs)
		case slices.ContainsFunc(wgetSends, func(f string) bool { return strings.HasPrefix(w.text, f) }):
			p.Class = p.Class.Worse(Sends)
		case !strings.HasPrefix(w.text, "-"):
			p.url(w.text)
		}
		if obeys(w.text) && !strings.Contains(w.text, "://") {
			p.Class = p.Class.Worse(Persists)
		}
	}
}
