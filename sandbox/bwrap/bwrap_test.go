package bwrap_test

import (
	"context"
	"io"
	"os"
	"testing"

	"github.com/deskhand/deskhand/guest"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/bwrap"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "guest" {
		os.Exit(guest.Main(os.Args[2:], os.Stdin, os.Stderr, nil))
	}
	os.Exit(m.Run())
}

func TestStart(t *testing.T) {
	s, err := bwrap.Start(context.Background(), bwrap.Config{Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Exec(t.Context(), sandbox.Cmd{Args: []string{"bash", "-c", "id; env; ls -la / /etc /run /run/*; ps axf; cat /proc/1/environ; touch /x; touch ~/x /tmp/x && ls -la ~; exit 3"}})
	if err != nil {
		t.Fatal(err)
	}
	out, _ := io.ReadAll(p.Stdout())
	er, _ := io.ReadAll(p.Stderr())
	exit, err := p.Wait()
	t.Logf("%s\n%s\n%v %v", out, er, exit, err)
	h, err := s.Health(t.Context(), 0, -1)
	t.Log(h, err)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
