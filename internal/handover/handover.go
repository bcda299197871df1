// Package handover passes one open file from process to process over a Unix
// socket, with one byte so that both sides know when.
//
// Trust: who sends decides what comes; the receiver takes one descriptor and
// closes nothing else.
package handover

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Send sends f over way. The caller keeps f.
func Send(way *net.UnixConn, f *os.File) error {
	if _, _, err := way.WriteMsgUnix([]byte{0}, unix.UnixRights(int(f.Fd())), nil); err != nil {
		return fmt.Errorf("sending the descriptor: %w", err)
	}
	return nil
}

// Receive takes the one file that comes over way, under a name for errors.
func Receive(way *net.UnixConn, name string) (*os.File, error) {
	data, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := way.ReadMsgUnix(data, rights)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		return nil, errors.Join(errors.New("no descriptor came"), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, errors.Join(errors.New("not one descriptor came"), err)
	}
	unix.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), name), nil
}
