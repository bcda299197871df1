// Command deskhand lets Claude operate a computer. See "deskhand --help" and
// the tour in the module's root package.
package main

import (
	"context"
	"os"
)

func main() {
	a := newApp(os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	os.Exit(a.main(context.Background(), os.Args[1:]))
}
