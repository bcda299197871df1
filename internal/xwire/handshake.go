package xwire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

// Setup is what the server tells at the start, of the default screen.
type Setup struct {
	Root          uint32
	Visual        uint32 // the root's
	Width, Height int    // pixels
	Depth         byte
	MinKeycode    byte
	MaxKeycode    byte
	MaxRequest    int // bytes of one request

	idBase, idMask uint32
}

// SameClient reports whether two resources belong to the same client.
func (s *Setup) SameClient(a, b uint32) bool { return (a^b)&^s.idMask == 0 }

type address struct {
	network, address string
	display          string // number as text
	screen           int
}

// parseDisplay reads ":0", ":0.1", "unix:0" and "host:0".
func parseDisplay(text string) (address, error) {
	bad := fmt.Errorf("%q is not a display; use a form such as :0", text)
	host, rest, ok := cutLast(text, ":")
	if !ok {
		return address{}, bad
	}
	number, screen, _ := strings.Cut(rest, ".")
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return address{}, bad
	}
	a := address{network: "unix", address: "/tmp/.X11-unix/X" + strconv.FormatUint(n, 10), display: number}
	if screen != "" {
		if a.screen, err = strconv.Atoi(screen); err != nil || a.screen < 0 {
			return address{}, bad
		}
	}
	if host != "" && host != "unix" {
		a.network, a.address = "tcp", net.JoinHostPort(host, strconv.FormatUint(6000+n, 10))
	}
	return a, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

const cookieProtocol = "MIT-MAGIC-COOKIE-1"

// handshake authenticates and reads the setup.
func handshake(sock net.Conn, a address, authority string) (Setup, error) {
	var name, data string
	if authority != "" {
		raw, err := os.ReadFile(authority)
		if err != nil {
			return Setup{}, fmt.Errorf("authority file: %w", err)
		}
		if cookie := findCookie(raw, a.display); cookie != "" {
			name, data = cookieProtocol, cookie
		}
	}
	b := []byte{'l', 0, 11, 0, 0, 0, byte(len(name)), 0, byte(len(data)), 0, 0, 0} // 'l': least significant byte first
	b = pad(append(b, name...))
	b = pad(append(b, data...))
	if _, err := sock.Write(b); err != nil {
		return Setup{}, err
	}
	head := make([]byte, 8)
	if _, err := io.ReadFull(sock, head); err != nil {
		return Setup{}, fmt.Errorf("the display hung up: %w", err)
	}
	body := make([]byte, 4*int(binary.LittleEndian.Uint16(head[6:])))
	if _, err := io.ReadFull(sock, body); err != nil {
		return Setup{}, fmt.Errorf("the display hung up: %w", err)
	}
	if head[0] != 1 {
		reason := body[:min(int(head[1]), len(body))]
		return Setup{}, fmt.Errorf("the display refused the connection: %s", strings.TrimSpace(strings.ToValidUTF8(string(reason), "?")))
	}
	return parseSetup(body, a.screen)
}

func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// findCookie returns the cookie for a display in an Xauthority file, "" when
// there is none. An entry for exactly this display wins over a general one.
func findCookie(raw []byte, display string) string {
	general := ""
	for len(raw) >= 2 {
		raw = raw[2:]        // family: addresses are not compared, numbers are what tells displays apart here
		var fields [4]string // address, display, protocol, data
		for i := range fields {
			if len(raw) < 2 {
				return general
			}
			n := int(binary.BigEndian.Uint16(raw))
			if len(raw) < 2+n {
				return general
			}
			fields[i], raw = string(raw[2:2+n]), raw[2+n:]
		}
		if fields[2] != cookieProtocol || len(fields[3]) != 16 {
			continue
		}
		switch fields[1] {
		case display:
			return fields[3]
		case "":
			general = fields[3]
		}
	}
	return general
}

// parseSetup reads the accepting answer after its first 8 bytes.
func parseSetup(b []byte, screen int) (Setup, error) {
	short := errors.New("the display's greeting is cut short")
	if len(b) < 32 {
		return Setup{}, short
	}
	le := binary.LittleEndian
	s := Setup{
		idBase: le.Uint32(b[4:]), idMask: le.Uint32(b[8:]),
		MaxRequest: 4 * int(le.Uint16(b[18:])), MinKeycode: b[26], MaxKeycode: b[27],
	}
	vendor, formats, roots := int(le.Uint16(b[16:])), int(b[21]), int(b[20])
	if screen >= roots {
		return Setup{}, fmt.Errorf("the display has no screen %d", screen)
	}
	at := 32 + (vendor+3)&^3 + 8*formats
	for i := 0; ; i++ {
		if len(b) < at+40 {
			return Setup{}, short
		}
		if i == screen {
			r := b[at:]
			s.Root, s.Visual, s.Depth = le.Uint32(r), le.Uint32(r[32:]), r[38]
			s.Width, s.Height = int(le.Uint16(r[20:])), int(le.Uint16(r[22:]))
			return s, nil
		}
		depths := int(b[at+39])
		at += 40
		for range depths {
			if len(b) < at+8 {
				return Setup{}, short
			}
			at += 8 + 24*int(le.Uint16(b[at+2:]))
		}
	}
}
