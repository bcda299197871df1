package egress_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// registries are stand-ins for what programs fetch packages from, all with one
// package "demo": PyPI, npm, a Debian archive, and a repository of git's.
func (n *internet) registries(mux *http.ServeMux) {
	serve := func(path, kind string, data []byte) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			n.hit(r.URL.Path)
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(data)
		})
	}
	wheel := zipped(n.t, map[string]string{
		"demo.py": "print('demo from the index')\n", "demo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
		"demo-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n", "demo-1.0.dist-info/RECORD": "",
	})
	const wheelName = "demo-1.0-py3-none-any.whl"
	serve("/simple/demo/", "text/html", fmt.Appendf(nil, "<a href=\"/wheels/%s#sha256=%x\">%s</a>", wheelName, sha256.Sum256(wheel), wheelName))
	serve("/wheels/"+wheelName, "application/zip", wheel)

	pack := tarred(n.t, map[string]string{"package/package.json": `{"name":"demo","version":"1.0.0","main":"i.js"}`, "package/i.js": "console.log('demo from the registry')\n"})
	doc, err := json.Marshal(map[string]any{"name": "demo", "dist-tags": map[string]string{"latest": "1.0.0"}, "versions": map[string]any{
		"1.0.0": map[string]any{"name": "demo", "version": "1.0.0", "main": "i.js", "dist": map[string]string{"tarball": "http://allowed.test/npm/demo-1.0.0.tgz", "shasum": fmt.Sprintf("%x", sha1.Sum(pack))}},
	}})
	if err != nil {
		n.t.Fatal(err)
	}
	serve("/npm/demo", "application/json", doc)
	serve("/npm/demo-1.0.0.tgz", "application/gzip", pack)

	serve("/debian/Packages", "text/plain", []byte("Package: demo\nVersion: 1.0\nArchitecture: all\nMaintainer: none\nDescription: from the archive\nFilename: demo.deb\nSize: 1\nSHA256: "+strings.Repeat("0", 64)+"\n\n"))
	mux.HandleFunc("/debian/", http.NotFound) // no signatures: the list trusts it as it is
	serve("/fox", "text/html", []byte("<title>fox</title>"))

	if _, err := exec.LookPath("git"); err != nil {
		return // which the sandbox has not either
	}
	bare := filepath.Join(n.t.TempDir(), "repo.git")
	script := `set -e; git init -q --bare -b main "$1"; cd "$1"; tree=$(git mktree </dev/null); c=$(git -c user.name=x -c user.email=x@y commit-tree -m demo $tree); git update-ref refs/heads/main $c; git update-server-info`
	cmd := exec.CommandContext(n.t.Context(), "sh", "-c", script, "sh", bare)
	cmd.Env = append(os.Environ(), "HOME="+n.t.TempDir(), "GIT_CONFIG_NOSYSTEM=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		n.t.Fatalf("%v: %s", err, out)
	}
	mux.Handle("/repo.git/", http.StripPrefix("/repo.git/", http.FileServer(http.Dir(bare))))
}

// hit notes what was fetched.
func (n *internet) hit(path string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hits = append(n.hits, path)
}

func zipped(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write([]byte(content))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarred(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(content))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestRegistries checks that the programs that fetch packages, and Firefox,
// simply work inside, found by their own ways, without a word about a proxy; and that
// without an entry for the host they get nothing.
func TestRegistries(t *testing.T) {
	if !privately(t) {
		return
	}
	n := newInternet(t)
	s, _, _ := walled(t, n, nil, "allowed.test")
	closed, _, _ := walled(t, n, nil, "other.test")
	const apt = "mkdir -p /tmp/a/lists/partial /tmp/a/cache/archives/partial /tmp/a/etc; : >/tmp/a/status; echo 'deb [trusted=yes] http://allowed.test/debian ./' >/tmp/a/list; " +
		"o='-o Dir::Etc::sourcelist=/tmp/a/list -o Dir::Etc::sourceparts=- -o Dir::Etc=/tmp/a/etc -o Dir::State=/tmp/a -o Dir::State::status=/tmp/a/status -o Dir::Cache=/tmp/a/cache -o APT::Sandbox::User= '; " +
		"apt-get $o update 2>&1; apt-cache $o show demo 2>&1"
	for _, c := range []struct{ program, probe, script, want string }{
		{"pip", "/usr/bin/python3 -m pip --version", "cd /tmp && /usr/bin/python3 -m pip install --no-cache-dir --disable-pip-version-check --index-url http://allowed.test/simple --trusted-host allowed.test --retries 0 --target t demo 2>&1; cd t && /usr/bin/python3 demo.py", "demo from the index"},
		{"npm", "npm --version", "mkdir -p /tmp/n && cd /tmp/n && npm install --no-audit --no-fund --fetch-retries=0 --registry http://allowed.test/npm/ demo 2>&1; node -e 'require(\"demo\")'", "demo from the registry"},
		{"apt", "apt-get --version", apt, "Description: from the archive"},
		{"git", "git --version", "git clone -q http://allowed.test/repo.git /tmp/r 2>&1; git -C /tmp/r log --format=%s 2>&1", "demo\n"},
	} {
		if out := sh(t, s, c.probe+" >/dev/null 2>&1 && echo there"); out != "there\n" {
			t.Logf("MISSING PROGRAM: %s: not tried", c.program)
			continue
		}
		began := time.Now()
		if out := sh(t, s, c.script); !strings.Contains(out, c.want) {
			t.Errorf("%s: %.900q, want %q", c.program, out, c.want)
		}
		if out := sh(t, closed, c.script); strings.Contains(out, c.want) {
			t.Errorf("%s works where nothing allows it: %.300q", c.program, out)
		}
		t.Logf("%s: both took %s", c.program, time.Since(began).Round(time.Millisecond))
	}
	if out := sh(t, s, "command -v firefox-esr || command -v firefox"); out == "" {
		t.Log("MISSING PROGRAM: firefox: not tried")
	} else {
		const fox = "env -u http_proxy -u https_proxy -u all_proxy -u HTTP_PROXY -u HTTPS_PROXY -u ALL_PROXY timeout -k 1 80 %s --headless --screenshot /tmp/fox.png http://allowed.test/fox 2>&1; head -c 4 /tmp/fox.png"
		out = sh(t, s, fmt.Sprintf(fox, strings.TrimSpace(out)))
		n.mu.Lock()
		seen := strings.Join(n.hits, " ")
		n.mu.Unlock()
		if !strings.Contains(out, "PNG") || !strings.Contains(seen, "/fox") {
			t.Errorf("firefox: %.900q, fetched: %s", out, seen)
		}
	}
	if got, from := n.drain(); got != 0 {
		t.Errorf("arrived: %q", from)
	}
}
