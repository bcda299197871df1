// Package sandbox is a place to run things: start programs, open connections,
// read and write files, behind walls that it names.
//
// Drivers: sandbox/bwrap builds the walls with bubblewrap and speaks to the
// guest inside through sandbox/remote; sandbox/host has no walls at all and is
// what the guest itself uses once inside. sandbox/sandboxtest is the suite.
//
// Trust: whatever runs here is hostile. Nothing that it writes, names or prints
// may become a command, a path or a format on the host.
package sandbox

import (
	"context"
	"io"
	"io/fs"
	"net"
	"syscall"
	"time"

	"github.com/deskhand/deskhand"
)

// Sandbox is one place. Methods may be called concurrently. Close ends every
// process in it and may be called twice. After Close every method fails with
// Unavailable.
//
// Codes that can come back from any method: Canceled, Unavailable, Internal.
type Sandbox interface {
	// Walls says what separates this place from the machine.
	Walls() Walls

	// Exec starts a program. ctx bounds the start only; Process.Kill ends it.
	// NotFound: no such program or directory.
	Exec(ctx context.Context, cmd Cmd) (Process, error)

	// Dial opens a stream to an address inside: network "tcp" or "unix".
	Dial(ctx context.Context, network, address string) (net.Conn, error)

	// Stat describes the file at path. Paths are absolute; symbolic links are
	// followed. NotFound, Denied, Invalid.
	Stat(ctx context.Context, path string) (FileInfo, error)

	// ReadFile returns up to limit bytes from offset of a regular file, and the
	// file's description. limit 0 is MaxRead. NotFound, Denied, Invalid (not a
	// regular file).
	ReadFile(ctx context.Context, path string, offset, limit int64) ([]byte, FileInfo, error)

	// WriteFile makes data the whole content of the file at path, atomically
	// (written aside, synced, renamed), keeping mode and owner of a file that
	// was there and creating missing parent directories. NotFound, Denied,
	// Conflict (see WriteOptions), Invalid.
	WriteFile(ctx context.Context, path string, data []byte, o WriteOptions) (FileInfo, error)

	// ReadDir lists a directory in name order, at most MaxEntries. NotFound, Denied, Invalid.
	ReadDir(ctx context.Context, path string) ([]FileInfo, error)

	// Close ends everything. It returns when nothing of it runs any more.
	Close() error
}

// Bounds of the file methods.
const (
	MaxRead    = 64 << 20 // bytes
	MaxEntries = 10_000
)

// Walls names what separates a sandbox from the machine it runs on.
type Walls struct {
	Driver  string   `json:"driver"`  // "bwrap", "host"
	Present []string `json:"present"` // of: user, mount, pid, ipc, uts, network, syscalls
	Missing []string `json:"missing"`
}

// Cmd is a program to start.
type Cmd struct {
	Args []string `json:"args"`          // program and arguments; never a shell line
	Dir  string   `json:"dir,omitempty"` // default: the home directory
	Env  []string `json:"env,omitempty"` // NAME=value, added to the place's own environment
}

// Process is a running program and the process group it leads. Read Stdout and
// Stderr to their end before Wait. Methods may be called concurrently.
type Process interface {
	Stdin() io.WriteCloser
	Stdout() io.Reader
	Stderr() io.Reader
	// Signal sends sig to the process group.
	Signal(sig syscall.Signal) error
	// Wait returns when the process has ended. Any number of callers may wait.
	Wait() (Exit, error)
	// Kill ends the whole process group and every descendant that left the
	// group, and returns when they are gone.
	Kill() error
}

// Exit is how a program ended.
type Exit struct {
	Status int            `json:"status"`           // 0 to 255; 128+signal when a signal ended it
	Signal syscall.Signal `json:"signal,omitempty"` // 0 when it exited by itself
}

// FileInfo describes a file. Version changes when content or metadata do.
type FileInfo struct {
	Name    string        `json:"name"` // base name; hostile text
	Size    int64         `json:"size"` // bytes
	Mode    fs.FileMode   `json:"mode"`
	ModTime time.Time     `json:"mod_time"`
	Version string        `json:"version"`        // opaque; for WriteOptions.IfVersion
	Link    string        `json:"link,omitempty"` // ReadDir only: target of a symbolic link
	Hash    deskhand.Hash `json:"hash,omitempty"` // ReadFile of a whole file, and WriteFile: of the content
}

// WriteOptions guard a WriteFile.
type WriteOptions struct {
	IfVersion string // when set: Conflict unless the file has this version
	IfAbsent  bool   // Conflict when the file exists
}
