package guestapi

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
)

// FrameType names what a frame of an exec stream carries. A frame is one byte
// of type, four bytes of length (big endian, at most MaxFrame) and the payload.
type FrameType byte

// The frames. Bytes of stdin, stdout and stderr are sent only against credit:
// each side starts with Window bytes per stream and gets more by FrameWindow,
// so that a reader who stops holds up his own stream and nothing else.
const (
	FrameStdin    FrameType = 'i' // to the guest: bytes
	FrameStdinEnd FrameType = 'e' // to the guest: close the program's input
	FrameSignal   FrameType = 's' // to the guest: one byte, the signal's number
	FrameKill     FrameType = 'k' // to the guest: end the group and its descendants
	FrameStdout   FrameType = 'o' // to the client: bytes; empty is the end
	FrameStderr   FrameType = 'r' // to the client: bytes; empty is the end
	FrameExit     FrameType = 'x' // to the client: sandbox.Exit as JSON
	FrameKilled   FrameType = 'd' // to the client: answer to FrameKill, empty or a Failure as JSON
	FrameWindow   FrameType = 'w' // both ways: the stream's FrameType, four bytes of further credit
)

// Bounds of an exec stream.
const (
	MaxFrame = 64 << 10  // bytes of payload
	Window   = 256 << 10 // bytes of credit a stream starts with
)

const headerSize = 5

// FrameWriter writes frames. Methods may be called concurrently.
type FrameWriter struct {
	mu  sync.Mutex
	w   io.Writer
	buf []byte
}

// NewFrameWriter returns a writer of frames to w.
func NewFrameWriter(w io.Writer) *FrameWriter { return &FrameWriter{w: w} }

// Write sends one frame in one write.
func (f *FrameWriter) Write(t FrameType, payload []byte) error {
	if len(payload) > MaxFrame {
		return fmt.Errorf("a frame of %d bytes is larger than %d", len(payload), MaxFrame)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.buf = append(f.buf[:0], byte(t), 0, 0, 0, 0)
	binary.BigEndian.PutUint32(f.buf[1:], uint32(len(payload)))
	f.buf = append(f.buf, payload...)
	_, err := f.w.Write(f.buf)
	return err
}

// Grant sends n bytes of further credit for stream.
func (f *FrameWriter) Grant(stream FrameType, n int) error {
	var p [5]byte
	p[0] = byte(stream)
	binary.BigEndian.PutUint32(p[1:], uint32(n))
	return f.Write(FrameWindow, p[:])
}

// ReadFrame reads one frame. The payload is valid until the next call with the
// same buf, which it grows. A frame cut short is io.ErrUnexpectedEOF.
func ReadFrame(r *bufio.Reader, buf *[]byte) (FrameType, []byte, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(h[1:])
	if n > MaxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes is larger than %d", n, MaxFrame)
	}
	if cap(*buf) < int(n) {
		*buf = make([]byte, n)
	}
	p := (*buf)[:n]
	if _, err := io.ReadFull(r, p); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return FrameType(h[0]), p, nil
}

// ParseWindow reads the payload of a FrameWindow.
func ParseWindow(p []byte) (stream FrameType, n int, err error) {
	if len(p) != 5 {
		return 0, 0, fmt.Errorf("a window frame has %d bytes instead of 5", len(p))
	}
	more := binary.BigEndian.Uint32(p[1:])
	if more > Window {
		return 0, 0, fmt.Errorf("a window frame grants %d bytes, more than %d", more, Window)
	}
	return FrameType(p[0]), int(more), nil
}
