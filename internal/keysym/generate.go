//go:build ignore

// This program writes names.txt from the headers of the X Window System
// (package x11proto-dev): one line a keysym, "name value [code point]", numbers
// in hexadecimal.
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"regexp"
	"strconv"
)

var (
	define  = regexp.MustCompile(`^#define (?:XK_|(XF86)XK_)(\w+)\s+(?:0x([0-9A-Fa-f]+)|_EVDEVK\(0x([0-9A-Fa-f]+)\))(.*)`)
	unicode = regexp.MustCompile(`^\s*/\* U\+([0-9A-F]{4,6}) `) // in parentheses it is only similar
)

const evdev = 0x10081000 // _EVDEVK(n) is this plus n

func main() {
	var out bytes.Buffer
	for _, file := range []string{"keysymdef.h", "XF86keysym.h"} {
		raw, err := os.ReadFile("/usr/include/X11/" + file)
		if err != nil {
			log.Fatal(err)
		}
		for line := range bytes.Lines(raw) {
			m := define.FindSubmatch(line)
			if m == nil {
				continue
			}
			value, _ := strconv.ParseUint(string(m[3]), 16, 32)
			if len(m[4]) > 0 {
				value, _ = strconv.ParseUint(string(m[4]), 16, 32)
				value += evdev
			}
			fmt.Fprintf(&out, "%s%s %x", m[1], m[2], value)
			if u := unicode.FindSubmatch(m[5]); u != nil {
				fmt.Fprintf(&out, " %s", bytes.ToLower(u[1]))
			}
			out.WriteByte('\n')
		}
	}
	if err := os.WriteFile("names.txt", out.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}
