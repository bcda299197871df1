package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"github.com/deskhand/deskhand"
)

// codes classes what the kernel answers. The first match counts.
var codes = []struct {
	err  error
	code deskhand.Code
}{
	{context.Canceled, deskhand.Canceled},
	{context.DeadlineExceeded, deskhand.Canceled},
	{fs.ErrNotExist, deskhand.NotFound},
	{syscall.ENOTDIR, deskhand.NotFound},
	{fs.ErrPermission, deskhand.Denied},
	{syscall.EROFS, deskhand.Denied},
	{syscall.EBUSY, deskhand.Denied},
	{fs.ErrExist, deskhand.Conflict},
	{syscall.EISDIR, deskhand.Invalid},
	{syscall.EINVAL, deskhand.Invalid},
	{syscall.ELOOP, deskhand.Invalid},
	{syscall.ENAMETOOLONG, deskhand.Invalid},
	{syscall.ENXIO, deskhand.Invalid},
	{syscall.ENOEXEC, deskhand.Invalid},
	{syscall.E2BIG, deskhand.Invalid},
	{syscall.ENOSPC, deskhand.OverLimit},
	{syscall.EDQUOT, deskhand.OverLimit},
	{syscall.EFBIG, deskhand.OverLimit},
	{syscall.EMFILE, deskhand.OverLimit},
	{syscall.EAGAIN, deskhand.OverLimit},
	{syscall.ENOMEM, deskhand.OverLimit},
	{syscall.ECONNREFUSED, deskhand.Unavailable},
	{syscall.EHOSTUNREACH, deskhand.Unavailable},
	{syscall.ENETUNREACH, deskhand.Unavailable},
	{syscall.ETIMEDOUT, deskhand.Unavailable},
}

// fail turns the kernel's answer about name into an error of the project. The
// name is quoted, so that whatever it holds stays on one line and harmless.
func fail(ctx context.Context, op, name string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return deskhand.E(op, deskhand.Canceled, ctx.Err())
	}
	var known *deskhand.Error
	if errors.As(err, &known) {
		return err
	}
	code := deskhand.Internal
	for _, c := range codes {
		if errors.Is(err, c.err) {
			code = c.code
			break
		}
	}
	var address *net.AddrError
	var host *net.DNSError
	if errors.As(err, &address) {
		code = deskhand.Invalid
	} else if errors.As(err, &host) {
		code = deskhand.Unavailable
	}
	return deskhand.E(op, code, fmt.Errorf("%q: %w", name, bare(err)))
}

// bare strips the wrappers that repeat the operation and the path.
func bare(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	var s *os.SyscallError
	var n *net.OpError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	case errors.As(err, &s):
		return s.Err
	case errors.As(err, &n):
		return n.Err
	}
	return err
}
