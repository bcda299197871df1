package xvfb

import (
	"crypto/rand"
	"encoding/binary"
	"os"
)

const (
	protocol   = "MIT-MAGIC-COOKIE-1"
	familyWild = 0xffff // matches every address
)

// WriteAuthority writes a file in Xauthority format, readable by its owner
// only, with one fresh cookie that is good for every display. The display's
// number is left out because the server chooses it after reading the file.
func WriteAuthority(path string) error {
	var cookie [16]byte
	rand.Read(cookie[:]) // never fails: crypto/rand ends the program instead
	entry := binary.BigEndian.AppendUint16(nil, familyWild)
	for _, field := range []string{"", "", protocol, string(cookie[:])} { // address, display, name, data
		entry = binary.BigEndian.AppendUint16(entry, uint16(len(field)))
		entry = append(entry, field...)
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err // a file from before may have a wider mode or be a link
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(entry); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
