package script

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
)

// minLift is the length from which an image's text is worth lifting.
const minLift = 1024

// lifted begins the name that stands in a lifted string's place.
const lifted = "lifted:"

// lift takes the text of images out of a body, so that the many readings of a
// request do not each go through megabytes: a long string after "data": becomes
// the name of its digest. The texts come back by name.
func lift(body []byte) (small []byte, texts map[string][]byte) {
	texts = map[string][]byte{}
	key := []byte(`"data":`)
	for {
		at := bytes.Index(body, key)
		if at < 0 {
			return append(small, body...), texts
		}
		at += len(key)
		start := at + len(body[at:]) - len(bytes.TrimLeft(body[at:], " \t\r\n"))
		end := -1
		if start < len(body) && body[start] == '"' {
			end = bytes.IndexAny(body[start+1:], `"\`) + start + 1
		}
		if end-start < minLift || body[end] != '"' {
			small, body = append(small, body[:at]...), body[at:]
			continue
		}
		text := body[start+1 : end]
		sum := sha256.Sum256(text)
		name := lifted + hex.EncodeToString(sum[:])
		texts[name] = text
		small = append(append(small, body[:start+1]...), name...)
		body = body[end:]
	}
}

// data returns the base64 text of a source.
func (r *request) data(s *source) []byte {
	if text, ok := r.texts[s.Data]; ok {
		return text
	}
	return []byte(s.Data)
}
