package input

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// maxExact is the largest magnitude at which every whole number is one float64.
const maxExact = 1 << 53

// Integer reads a whole number. A float that is whole, such as 100.0 or 1e2,
// counts as one; a fraction, a string, and what is beyond 2^53 do not.
func Integer(value json.RawMessage) (int, bool) {
	text := string(value)
	mantissa, _, scientific := strings.Cut(strings.ToLower(text), "e")
	_, fraction, _ := strings.Cut(mantissa, ".")
	if !scientific && strings.Trim(fraction, "0") != "" {
		return 0, false // also where rounding to a float64 would hide it
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !number(text) || f != math.Trunc(f) || math.Abs(f) > maxExact {
		return 0, false
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return int(n), n >= -maxExact && n <= maxExact
	}
	return int(f), true
}

// number reports whether text looks like a JSON number; ParseFloat also takes
// "Inf", "0x1p4" and underscores, which a JSON literal cannot be.
func number(text string) bool {
	return text != "" && strings.Trim(text, "0123456789+-.eE") == ""
}

// Integers reads a list of exactly n whole numbers.
func Integers(value json.RawMessage, n int) ([]int, bool) {
	var items []json.RawMessage
	if !bytes.HasPrefix(value, []byte("[")) || json.Unmarshal(value, &items) != nil || len(items) != n {
		return nil, false
	}
	out := make([]int, n)
	for i, item := range items {
		var ok bool
		if out[i], ok = Integer(item); !ok {
			return nil, false
		}
	}
	return out, true
}

// String reads a string. The problem is "" when it was one.
func String(value json.RawMessage) (text, problem string) {
	if len(value) == 0 || value[0] != '"' || json.Unmarshal(value, &text) != nil {
		return "", "expected a string"
	}
	if loneSurrogate(value) {
		return "", "contains half of a surrogate pair"
	}
	return text, ""
}

// Bool reads true or false.
func Bool(value json.RawMessage) (b, ok bool) {
	return string(value) == "true", string(value) == "true" || string(value) == "false"
}

// loneSurrogate reports whether a string literal escapes half of a pair, which
// the decoder would quietly replace.
func loneSurrogate(literal []byte) bool {
	high := false // the unit before was the first half
	for i := 0; i < len(literal); i++ {
		unit := uint64(0)
		if literal[i] == '\\' {
			i++
			if literal[i] == 'u' && i+4 < len(literal) {
				unit, _ = strconv.ParseUint(string(literal[i+1:i+5]), 16, 32)
				i += 4
			}
		}
		low := unit >= 0xDC00 && unit <= 0xDFFF
		if low != high {
			return true
		}
		high = unit >= 0xD800 && unit <= 0xDBFF
	}
	return high
}
