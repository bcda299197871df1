package editor

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/deskhand/deskhand/sandbox"
)

// document is a text file, taken apart so that it can be put together again
// with nothing changed but its text.
type document struct {
	path  string
	info  sandbox.FileInfo
	form  form
	crlf  bool   // every line ends in CR LF; text has LF alone
	text  string // UTF-8, when exact
	exact bool   // text says all that the bytes do
	raw   []byte // what was read
}

// form is how a file holds its text: a mark at its beginning, and an encoding.
type form struct {
	mark  string
	order binary.ByteOrder // of UTF-16; nil: UTF-8
}

// forms are tried in this order. Without a mark a file is UTF-8: to guess
// UTF-16 or an 8-bit encoding would be wrong too often to write by it.
var forms = []form{
	{mark: "\ufeff"},
	{mark: "\xff\xfe", order: binary.LittleEndian},
	{mark: "\xfe\xff", order: binary.BigEndian},
	{},
}

// parse takes data, the file's beginning or all of it, apart.
func parse(p string, info sandbox.FileInfo, data []byte) *document {
	d := &document{path: p, info: info, raw: data}
	for _, d.form = range forms {
		if rest, ok := bytes.CutPrefix(data, []byte(d.form.mark)); ok {
			data = rest
			break
		}
	}
	if int64(len(d.raw)) < info.Size {
		data = d.form.trim(data)
	}
	text := d.form.decode(data)
	d.exact = utf8.ValidString(text) && bytes.Equal(d.form.encode(text), data)
	feeds, pairs := strings.Count(text, "\n"), strings.Count(text, "\r\n")
	d.crlf = feeds > 0 && feeds == pairs
	d.text = d.plain(text)
	return d
}

// binary reports whether the file holds what no text does.
func (d *document) binary() bool { return strings.IndexByte(d.text, 0) >= 0 }

// plain returns s with the line endings of text.
func (d *document) plain(s string) string {
	if d.crlf {
		return strings.ReplaceAll(s, "\r\n", "\n")
	}
	return s
}

// bytes returns the whole file with text as its text.
func (d *document) bytes() []byte {
	text := d.text
	if d.crlf {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return append([]byte(d.form.mark), d.form.encode(text)...)
}

func (f form) decode(data []byte) string {
	if f.order == nil {
		return string(data)
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = f.order.Uint16(data[2*i:])
	}
	return string(utf16.Decode(units))
}

func (f form) encode(text string) []byte {
	if f.order == nil {
		return []byte(text)
	}
	units := utf16.Encode([]rune(text))
	data := make([]byte, 2*len(units))
	for i, u := range units {
		f.order.PutUint16(data[2*i:], u)
	}
	return data
}

// trim takes away a character that data, the beginning of a file, ends within.
func (f form) trim(data []byte) []byte {
	if f.order != nil {
		data = data[:len(data)&^1]
		if n := len(data); n > 0 && f.order.Uint16(data[n-2:])&0xFC00 == 0xD800 {
			data = data[:n-2]
		}
		return data
	}
	for i := 1; i < utf8.UTFMax && i <= len(data); i++ {
		if last := data[len(data)-i:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return data[:len(data)-i]
			}
			break
		}
	}
	return data
}
