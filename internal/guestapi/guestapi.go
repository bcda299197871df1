// Package guestapi is the wire form of the guest API, version 1: paths, headers
// and JSON shapes that guest (the server) and desktop/remote and sandbox/remote
// (the clients) share. It holds no behaviour but reading failures and the
// framing of exec streams: see FrameType, Credit and Queue.
//
// Trust: both ends check what the other sends; lengths and credit are bounded.
//
// The guest speaks HTTP/1.1 over a Unix socket handed to it by the host, or over
// TCP with a bearer token. A failure is {"code","message"} with the status of
// the code. docs/guest-api.yaml is the same in OpenAPI.
package guestapi

import "time"

// Paths of version 1.
const (
	Health    = "/v1/health"    // GET ?wait=DURATION&after=N → HealthReply
	Size      = "/v1/size"      // GET → deskhand.Size
	Screen    = "/v1/screen"    // GET ?region=x0,y0,x1,y1&size=WxH&format=&quality=&cursor=&since= → image, or 204 when unchanged
	Input     = "/v1/input"     // POST []desktop.Action → 204
	Release   = "/v1/release"   // POST → 204
	Cursor    = "/v1/cursor"    // GET → deskhand.ScreenPoint
	Windows   = "/v1/windows"   // GET → []desktop.Window
	Clipboard = "/v1/clipboard" // GET, PUT text/plain
	Settle    = "/v1/settle"    // GET ?quiet=&limit=&since=&first= (Go durations) → desktop.Settled
	Exec      = "/v1/exec"      // POST sandbox.Cmd, Upgrade: deskhand-exec → 101 and frames
	Dial      = "/v1/dial"      // GET ?network=&address=, Upgrade: deskhand-stream → 101 and a raw stream
	Listen    = "/v1/listen"    // GET ?address=, Upgrade: deskhand-listener → 101 and a listening descriptor; Unix sockets only
	Stat      = "/v1/stat"      // GET ?path= → sandbox.FileInfo
	File      = "/v1/file"      // GET ?path=&offset=&limit= → bytes, PUT ?path= (If-Match, If-None-Match: *) → sandbox.FileInfo
	Dir       = "/v1/dir"       // GET ?path= → []sandbox.FileInfo
)

// Headers and upgrade protocols.
const (
	FrameHeader  = "Deskhand-Frame"  // on Screen: Picture.Frame
	SizeHeader   = "Deskhand-Size"   // on Screen: WxH of the picture
	InfoHeader   = "Deskhand-File"   // on File: sandbox.FileInfo as JSON
	ExecProtocol = "deskhand-exec"   // frames: see Frame
	RawProtocol  = "deskhand-stream" // bytes

	ListenProtocol = "deskhand-listener" // a byte from the client, then one from the guest with a descriptor as SCM_RIGHTS
)

// Failure is the body of every answer that is not a success.
type Failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Action  int    `json:"action,omitempty"` // of an InputError
	Typed   int    `json:"typed,omitempty"`  // of an InputError
}

// HealthReply says how the guest stands. Without a display Ready is true as
// soon as the guest serves.
type HealthReply struct {
	Ready    bool      `json:"ready"`
	Failed   string    `json:"failed,omitempty"` // why it will never be ready, one sentence
	Programs []Program `json:"programs"`
	Notices  []Notice  `json:"notices"` // those with N greater than ?after
	PID      int       `json:"pid"`
	RSS      int64     `json:"rss"` // bytes resident of the guest itself
}

// Program is one supervised program of the display stack.
type Program struct {
	Name     string `json:"name"`
	State    string `json:"state"` // starting, ready, backoff, failed
	PID      int    `json:"pid"`
	Restarts int    `json:"restarts"`
}

// Notice is something the model and the person should know, such as a restart.
type Notice struct {
	N    int64     `json:"n"` // 1, 2, 3 …
	Time time.Time `json:"time"`
	Text string    `json:"text"` // one sentence in fixed words
}

// Limits are part of the settings that a guest is started with: what each process
// inside may take. A zero field leaves a limit as
// it is; none is ever raised.
type Limits struct {
	Data      uint64 `json:"data,omitempty"`      // bytes of memory of its own
	FileSize  uint64 `json:"file_size,omitempty"` // bytes of one file
	Files     uint64 `json:"files,omitempty"`     // open files
	Processes uint64 `json:"processes,omitempty"` // of the user; the kernel does not count root's
}

// FromArg as the guest's first argument, with a path, lets it fetch its listening
// socket from the Unix socket there; else it is descriptor 3.
const FromArg = "from"
