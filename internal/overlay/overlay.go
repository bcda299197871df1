// Package overlay lays a writable layer over a folder with the kernel's
// overlayfs, and shows a folder that a process outside serves through FUSE, without privileges: in a namespace for users and mounts that a
// small companion program lives in, which then becomes the program that is to
// see the merged view.
//
// It must never mount anything outside that namespace. Trust: what is in Upper
// was written by hostile programs; what the marks mean is fixed by the kernel,
// which lets nobody set them through the merged view.
package overlay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Layer is one folder with a layer over it. All are absolute host paths of
// existing folders; Upper and Work lie on one file system and belong to one Layer.
type Layer struct {
	Lower  string `json:"lower"`  // what is never written
	Upper  string `json:"upper"`  // gets what is written
	Work   string `json:"work"`   // the kernel's own
	Merged string `json:"merged"` // where both are seen, in the namespace only
}

// Arg is the first argument of the companion, after those of the program that it is.
const Arg = "layer"

// Served is a folder that a process outside serves through FUSE.
type Served struct {
	At string `json:"at"` // where it is seen, in the namespace only: an existing folder
	FD int    `json:"fd"` // of the companion: a Unix socket over which it sends the kernel's end; see Pair
}

// Order is what the companion reads from the descriptor that it is given: what
// to mount, then what to become.
type Order struct {
	Layers []Layer  `json:"layers"`
	Served []Served `json:"served"`
	Argv   []string `json:"argv"`
}

// Bytes returns o in the form in which the companion reads it.
func (o Order) Bytes() ([]byte, error) { return json.Marshal(o) }

// Attributes are those of a process that starts in a namespace of its own, in
// which this user may mount.
func Attributes(a *syscall.SysProcAttr) *syscall.SysProcAttr {
	a.Cloneflags |= unix.CLONE_NEWUSER | unix.CLONE_NEWNS
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	return a
}

// Main is the companion: args are those after Arg, the number of the
// descriptor with the order. It returns only when something failed.
func Main(args []string, stderr io.Writer) int {
	err := errors.New("it is started by deskhand itself, with the number of a descriptor")
	if len(args) == 1 {
		err = obey(args[0])
	}
	fmt.Fprintf(stderr, "deskhand: the layer over a folder cannot be made: %v\n", err)
	return 1
}

func obey(number string) error {
	fd, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "order")
	var o Order
	if err := errors.Join(json.NewDecoder(f).Decode(&o), f.Close()); err != nil {
		return err
	}
	if len(o.Argv) == 0 {
		return errors.New("nothing to become")
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("this is no namespace of its own: %w", err)
	}
	for _, l := range o.Layers {
		if err := l.mount(); err != nil {
			return err
		}
	}
	for _, s := range o.Served {
		if err := s.mount(); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %w", o.Argv[0], unix.Exec(o.Argv[0], o.Argv, os.Environ()))
}

// mount names everything by descriptor: no path has to be escaped, and what
// was opened is what is mounted.
func (l Layer) mount() error {
	var names [4]string
	for i, path := range []string{l.Lower, l.Upper, l.Work, l.Merged} {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		defer unix.Close(fd)
		names[i] = fmt.Sprintf("/proc/self/fd/%d", fd)
	}
	options := fmt.Sprintf("userxattr,metacopy=off,lowerdir=%s,upperdir=%s,workdir=%s", names[0], names[1], names[2])
	if err := unix.Mount("overlay", names[3], "overlay", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("overlayfs over %s: %w", l.Lower, err)
	}
	return nil
}

// Probe reports why l cannot be mounted, nil when it can. companion is the
// program and its arguments up to Arg.
func Probe(ctx context.Context, companion []string, l Layer) error {
	return try(ctx, companion, Order{Layers: []Layer{l}})
}

// try has the companion mount what o says and become a program that ends at once. files are its descriptors from 4 on.
func try(ctx context.Context, companion []string, o Order, files ...*os.File) error {
	o.Argv = []string{"/bin/true"}
	data, err := o.Bytes()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	var said strings.Builder
	cmd := exec.CommandContext(ctx, companion[0], append(companion[1:len(companion):len(companion)], Arg, "3")...)
	cmd.ExtraFiles, cmd.Stderr, cmd.Env, cmd.Dir = append([]*os.File{r}, files...), &said, []string{}, "/"
	cmd.SysProcAttr = Attributes(&syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL})
	if err := cmd.Start(); err != nil {
		return errors.Join(err, w.Close())
	}
	_, err = w.Write(data) // less than a pipe holds
	err = errors.Join(err, w.Close())
	if ended := cmd.Wait(); ended != nil {
		return fmt.Errorf("%w: %s", ended, strings.TrimSpace(said.String()))
	}
	return err
}

// opaqueMark is what the kernel leaves at a folder of an upper layer.
const opaqueMark = "user.overlay.opaque"

// Opaque reports whether the folder fd of an upper layer hides all of the
// folder below it.
func Opaque(fd int) bool {
	var b [8]byte
	n, err := unix.Fgetxattr(fd, opaqueMark, b[:])
	return err == nil && n == 1 && b[0] == 'y'
}

// Whiteout reports whether an entry of an upper layer says that the folder
// below has no such name any more.
func Whiteout(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0
}
