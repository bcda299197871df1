package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/deskhand/deskhand/internal/inside"
)

// prepared are the files of one container on the host.
type prepared struct {
	dir     string // private; removed at the end
	hand    string // where the guest fetches its socket
	seccomp string // the filter of system calls
	user    string // UID:GID inside
	mounts  []mount
}

type mount struct {
	Bind
	write bool
}

// someUser is who programs inside are when this process is root, who nobody
// inside shall be.
const someUser = 1000

func prepare(c Config) (*prepared, error) {
	dir, err := os.MkdirTemp(c.Dir, "deskhand-oci-") // 0700: nobody else comes to what is below
	if err != nil {
		return nil, err
	}
	p := &prepared{dir: dir}
	if err := p.fill(c); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

func (p *prepared) fill(c Config) error {
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = someUser, someUser
		if err := errors.Join(os.Chown(c.Home, uid, gid), os.Chown(c.Logs, uid, gid)); err != nil {
			return err
		}
	}
	p.user = fmt.Sprintf("%d:%d", uid, gid)
	p.hand = filepath.Join(p.dir, "hand")
	if err := os.Mkdir(p.hand, 0o755); err != nil {
		return err
	}
	p.share(c.Home, Home, true)
	p.share(c.Logs, Logs, true)
	p.share(c.Binary, Binary, false)
	p.share(p.hand, hand, false)
	files := inside.Policies(c.Proxy)
	files["/etc/passwd"] = fmt.Appendf(nil, "root:x:0:0:root:/root:/usr/sbin/nologin\nuser:x:%d:%d:user:%s:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n", uid, gid, Home)
	files["/etc/group"] = fmt.Appendf(nil, "root:x:0:\nuser:x:%d:\nnogroup:x:65534:\n", gid)
	files["/etc/machine-id"] = []byte(machineID() + "\n")
	for i, path := range slices.Sorted(maps.Keys(files)) {
		file, err := p.write("file-"+strconv.Itoa(i), files[path])
		if err != nil {
			return err
		}
		p.share(file, path, false)
	}
	for _, b := range c.Binds {
		p.share(b.Host, b.Inside, false)
	}
	filter, err := json.Marshal(filterOf(inside.Refused(c.Mounts)))
	if err != nil {
		return err
	}
	p.seccomp, err = p.write("seccomp.json", filter)
	return err
}

func (p *prepared) share(host, at string, write bool) {
	p.mounts = append(p.mounts, mount{Bind{host, at}, write})
}

func (p *prepared) write(name string, data []byte) (string, error) {
	path := filepath.Join(p.dir, name)
	return path, os.WriteFile(path, data, 0o444)
}
