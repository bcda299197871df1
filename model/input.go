package model

import (
	"bytes"
	"encoding/json"

	"github.com/deskhand/deskhand/internal/rawjson"
)

// invalidKey marks an input that is not a JSON object. The API uses the same
// word where it streams inputs unchecked.
const invalidKey = "INVALID_JSON"

// InvalidInput reports whether the input of a call was not a JSON object as the
// model wrote it (cut off by max_tokens, or malformed), and returns what the
// model wrote. Such a call must not run; answer it with an error result. In the
// history its block has an empty input, because the API accepts objects only.
func InvalidInput(input json.RawMessage) (raw string, invalid bool) {
	if !bytes.HasPrefix(input, []byte(`{"`+invalidKey+`":`)) {
		return "", false
	}
	var marked map[string]string
	if err := json.Unmarshal(input, &marked); err != nil || len(marked) != 1 {
		return "", false
	}
	return marked[invalidKey], true
}

// MarkInvalid returns an input that InvalidInput recognises.
func MarkInvalid(raw string) json.RawMessage {
	return append(append([]byte(`{"`+invalidKey+`":`), rawjson.String(raw)...), '}')
}
