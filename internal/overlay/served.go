package overlay

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Mirror is a Served before its companion is started: Socket is the companion's
// end, closed by whoever starts it.
type Mirror struct {
	At     string
	Socket *os.File
}

// Pair returns the two ends of the socket of a Served: one for Receive, one for
// the companion.
func Pair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "served"), os.NewFile(uintptr(fds[1]), "companion"), nil
}

// ErrNotMounted says that no companion sent anything.
var ErrNotMounted = errors.New("nothing was mounted")

// Receive waits for the companion and returns the kernel's end, a descriptor of
// /dev/fuse. It returns ErrNotMounted when the companion is gone, or ours was closed.
func Receive(ours *os.File) (fd int, err error) {
	c, err := ours.SyscallConn()
	if err != nil {
		return -1, err
	}
	room := make([]byte, unix.CmsgSpace(4))
	n, got := 0, error(nil)
	err = c.Read(func(s uintptr) bool {
		_, n, _, _, got = unix.Recvmsg(int(s), make([]byte, 1), room, unix.MSG_CMSG_CLOEXEC)
		return !errors.Is(got, unix.EAGAIN)
	})
	if errors.Is(err, os.ErrClosed) || err == nil && got == nil && n == 0 {
		return -1, ErrNotMounted
	}
	if err = errors.Join(err, got); err != nil {
		return -1, err
	}
	all, err := unix.ParseSocketControlMessage(room[:n])
	if err != nil || len(all) != 1 {
		return -1, errors.Join(ErrNotMounted, err)
	}
	fds, err := unix.ParseUnixRights(&all[0])
	if err != nil || len(fds) != 1 {
		return -1, errors.Join(ErrNotMounted, err)
	}
	return fds[0], nil
}

// mount mounts a file system of FUSE and sends away the end that serves it. The
// kernel lets only the namespace that opened /dev/fuse mount it, which is why it is opened here.
func (s Served) mount() error {
	fuse, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("/dev/fuse: %w", err)
	}
	defer unix.Close(fuse)
	at, err := unix.Open(s.At, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", s.At, err)
	}
	defer unix.Close(at)
	// user_id and group_id are who may use it: this namespace's root, which is this user.
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions", fuse)
	if err := unix.Mount("deskhand", fmt.Sprintf("/proc/self/fd/%d", at), "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("FUSE at %s: %w", s.At, err)
	}
	return errors.Join(unix.Sendmsg(s.FD, []byte{0}, unix.UnixRights(fuse), nil, 0), unix.Close(s.FD))
}

// ProbeServed reports why nothing can be served at the folder at, nil when it can.
func ProbeServed(ctx context.Context, companion []string, at string) error {
	ours, theirs, err := Pair()
	if err != nil {
		return err
	}
	defer ours.Close()
	defer theirs.Close()
	return try(ctx, companion, Order{Served: []Served{{At: at, FD: 4}}}, theirs)
}
