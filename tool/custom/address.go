package custom

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/deskhand/deskhand/internal/input"
)

// setEndpoint reads {"method", "url", "headers"}.
func (c Config) setEndpoint(dir string, e *entry, value json.RawMessage) string {
	o := input.Read(value)
	p := &endpoint{method: http.MethodPost}
	e.endpoint = p
	if raw := o.Take("method"); raw != nil {
		p.method, _ = input.String(raw)
		if _, known := queried[p.method]; !known {
			o.Refuse("method", "expected "+strings.Join(slices.Sorted(maps.Keys(queried)), ", "))
		}
	}
	text, problem := input.String(o.Take("url"))
	if problem == "" {
		p.url, problem = address(text)
	}
	if problem != "" {
		o.Refuse("url", problem)
	}
	if raw := o.Take("headers"); raw != nil {
		c.setHeaders(dir, p, o, raw)
	}
	if problem := o.Problem(); problem != "" {
		return problem
	}
	if len(p.secrets) > 0 && p.url.Scheme != "https" && !loopback(p.url.Hostname()) {
		return "url: a secret is only sent over https, or to this machine itself"
	}
	return ""
}

func address(text string) (*url.URL, string) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "" {
		return nil, "expected an address such as https://example.com/weather"
	}
	if u.User != nil || u.Fragment != "" {
		return nil, "leave out name, password and fragment; a secret goes into a header, as ${ENV:NAME}"
	}
	return u, ""
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

var (
	headerName  = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]{1,128}$`)
	placeholder = regexp.MustCompile(`\$\{(ENV|FILE):([^}]*)\}`)
)

// ownHeaders are those that the connection itself needs.
var ownHeaders = []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade"}

func (c Config) setHeaders(dir string, p *endpoint, o *input.Object, raw json.RawMessage) {
	list := input.Read(raw)
	for _, name := range list.Names() {
		text, problem := input.String(list.Take(name))
		value := ""
		if problem == "" {
			value, problem = c.fill(dir, p, text)
		}
		switch {
		case !headerName.MatchString(name):
			problem = "not the name of a header"
		case slices.Contains(ownHeaders, http.CanonicalHeaderKey(name)):
			problem = "this header is set by the connection; leave it out"
		case problem == "" && strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f || r == utf8.RuneError }):
			problem = "has characters that a header cannot have"
		}
		if problem != "" {
			o.Refuse("headers."+name, problem)
		}
		p.headers = append(p.headers, header{name, value})
	}
	if problem := list.Problem(); problem != "" {
		o.Refuse("headers", problem)
	}
}

// leastSecret is the shortest value that can be told from ordinary text when an
// endpoint echoes it, in bytes.
const leastSecret = 6

// fill puts secrets in the place of ${ENV:NAME} and ${FILE:PATH}. What is said
// to be wrong never holds one.
func (c Config) fill(dir string, p *endpoint, text string) (value, problem string) {
	value = placeholder.ReplaceAllStringFunc(text, func(one string) string {
		parts := placeholder.FindStringSubmatch(one)
		secret, wrong := c.secret(dir, parts[1], parts[2])
		if wrong != "" {
			problem = wrong
		}
		p.secrets = append(p.secrets, secret)
		return secret
	})
	if strings.Contains(placeholder.ReplaceAllString(text, ""), "${") {
		problem = "expected ${ENV:NAME} or ${FILE:PATH}"
	}
	return value, problem
}

func (c Config) secret(dir, kind, name string) (secret, problem string) {
	switch {
	case kind == "ENV" && c.Env != nil:
		secret = c.Env(name)
	case kind == "FILE" && c.Read != nil:
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		data, err := c.Read(path)
		if err != nil {
			return "", fmt.Sprintf("the file %.200q cannot be read; put the secret there", name)
		}
		secret = strings.TrimRight(string(data), "\r\n")
	}
	switch {
	case secret == "" && kind == "ENV":
		return "", fmt.Sprintf("the environment has no %.200s; set it before starting deskhand", name)
	case len(secret) < leastSecret:
		return "", fmt.Sprintf("${%s:%.200s} is shorter than %d bytes, which is no secret", kind, name, leastSecret)
	}
	return secret, ""
}

// fixes refuses a field that the address has a value for already.
func (p *endpoint) fixes(schema json.RawMessage) string {
	var known struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	_ = json.Unmarshal(schema, &known) // read before
	for _, name := range slices.Sorted(maps.Keys(known.Properties)) {
		if queried[p.method] && p.url.Query().Has(name) {
			return fmt.Sprintf("http: the url fixes %q, so it cannot be a field of the input; take it out of one of them", name)
		}
	}
	return ""
}
