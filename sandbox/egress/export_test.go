package egress

// What the tests from outside forge handshakes with.

// Forge makes a ClientHello that names these hosts in one list.
func Forge(names ...string) []byte {
	if len(names) == 0 {
		return helloOf([]byte{0, 16, 0, 0})
	}
	return forge(names...)
}

// Split puts a handshake into two records.
func Split(whole []byte) []byte { return split(whole) }
