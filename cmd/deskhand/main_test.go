package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

// TestMain makes this test binary the program itself, under the name deskhand,
// also for what it starts anew: guests and holders of desktops.
func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"deskhand": dispatch})
}

// leakChecked fails the run when a goroutine is left.
type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	status := l.m.Run()
	if err := goleak.Find(); status == 0 && err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	return status
}

// TestScripts plays the files in testdata/script against the program.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, scripts("testdata/script"))
}

// scripts is how the files of a directory are played.
func scripts(dir string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("DESKHAND_HOME", e.Getenv("WORK")+"/state")
			e.Setenv("DESKHAND_PERMISSION", "trust") // scripts that are about something else do not ask
			e.Setenv("HOME", e.Getenv("WORK"))
			e.Setenv("LANG", "C.UTF-8")
			e.Defer(func() { endDesktops(desktops{e.Getenv("WORK") + "/state/desktops"}) })
			api := httptest.NewServer(http.HandlerFunc(refuse))
			e.Defer(api.Close)
			e.Setenv("API", api.URL)
			weather := httptest.NewServer(http.HandlerFunc(station))
			e.Defer(weather.Close)
			e.Setenv("STATION", weather.URL)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status": status,
			"says":   says,
		},
	}
}

// endDesktops ends what a script that failed halfway left up.
func endDesktops(d desktops) {
	all, err := d.list()
	for _, h := range all {
		err = errors.Join(err, d.end(h))
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		panic(err)
	}
}

// refuse is an API that answers what the first part of the path says:
// /401/v1/messages is refused with status 401.
func refuse(w http.ResponseWriter, r *http.Request) {
	code, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	failures := map[string][2]string{
		"401": {"authentication_error", "invalid x-api-key"},
		"403": {"permission_error", "Your API key does not have permission to use the specified resource."},
		"404": {"not_found_error", "model: claude-sonnet-5-5"},
		"400": {"invalid_request_error", "something is wrong\x1b[31m"},
	}
	status, err := strconv.Atoi(code)
	if err != nil {
		status = http.StatusNotFound
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"type": "error", "error": map[string]string{"type": failures[code][0], "message": failures[code][1]}})
}

// station is an endpoint that knows the weather, and shows the key it was given.
func station(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Key") != "key-of-the-station" {
		w.WriteHeader(http.StatusForbidden)
	}
	fmt.Fprintf(w, "%s with %s: 15 degrees", r.URL.Query().Get("location"), r.Header.Get("X-Key"))
}

// status runs the program and checks its exit status: status 2 deskhand run --bogus.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command [args...]")
	}
	ts.Setenv("WANT", args[0])
	err := ts.Exec("sh", append([]string{"-c", `"$@"; got=$?; [ $got = "$WANT" ] || { echo "exit status $got" >&2; exit 1; }`, "sh"}, args[1:]...)...)
	if err != nil {
		ts.Fatalf("%v: want exit status %s", args[1:], args[0])
	}
}

// says checks that standard error is exactly one line that begins with
// "deskhand: " and holds the words given.
func says(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile("stderr")
	if neg || len(args) != 1 {
		ts.Fatalf("usage: says 'words'")
	}
	if !oneSentence(text, args[0]) {
		ts.Fatalf("standard error is %q, not one sentence with %q", text, args[0])
	}
}
