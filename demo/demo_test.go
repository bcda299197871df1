package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
)

func TestFormTakesGoodOrdersOnly(t *testing.T) {
	t.Parallel()
	good := url.Values{"name": {"Zoë Müller"}, "quantity": {"3"}, "pickup": {"shop"}, "gift": {"yes"}, "remarks": {"a\r\nb"}}
	for _, c := range []struct {
		name   string
		change func(url.Values)
		status int
	}{
		{"good", func(url.Values) {}, 200},
		{"no name", func(v url.Values) { v.Set("name", " ") }, 422},
		{"no number", func(v url.Values) { v.Set("quantity", "x") }, 422},
		{"too many", func(v url.Values) { v.Set("quantity", "100") }, 422},
		{"no delivery", func(v url.Values) { v.Del("pickup") }, 422},
		{"huge", func(v url.Values) { v.Set("remarks", strings.Repeat("x", maxForm)) }, 422},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := url.Values{}
			for k := range good {
				v.Set(k, good.Get(k))
			}
			c.change(v)
			var saved []Order
			rec := httptest.NewRecorder()
			req := httptest.NewRequest(http.MethodPost, "/order", strings.NewReader(v.Encode()))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			Form(func(o Order) error { saved = append(saved, o); return nil }).ServeHTTP(rec, req)
			if rec.Code != c.status {
				t.Fatalf("status %d, want %d: %s", rec.Code, c.status, rec.Body)
			}
			if got := len(saved); (got == 1) != (c.status == 200) {
				t.Fatalf("%d orders saved", got)
			}
			if c.status == 200 {
				if saved[0].Remarks != "a\nb" || !saved[0].Gift {
					t.Errorf("saved %+v", saved[0])
				}
				if !strings.Contains(rec.Body.String(), saved[0].Number()) {
					t.Error("the page does not show the number")
				}
			}
		})
	}
}

func TestFormEscapes(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodPost, "/order", strings.NewReader("name=%3Cscript%3E&quantity=1&pickup=post"))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	Form(func(Order) error { return nil }).ServeHTTP(rec, req)
	if strings.Contains(rec.Body.String(), "<script>") {
		t.Error("a name became markup")
	}
}

func TestFormSaysWhenItCannotKeep(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodPost, "/order", strings.NewReader("name=a&quantity=1&pickup=post"))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	Form(func(Order) error { return errors.New("disk full") }).ServeHTTP(rec, req)
	if rec.Code != http.StatusInternalServerError || strings.Contains(rec.Body.String(), "disk") {
		t.Errorf("status %d: %s", rec.Code, rec.Body)
	}
}

func TestKeepIsWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "order.json")
	if err := keep(path, want); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got Order
	if err := json.Unmarshal(raw, &got); err != nil || got != want {
		t.Errorf("kept %+v, %v", got, err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestCriteriaAreTheFiles(t *testing.T) {
	t.Parallel()
	want := []string{
		NotePath + "=sha256:" + string(deskhand.HashOf([]byte(Note))),
		OrderPath + "=sha256:" + string(deskhand.HashOf(want.file())),
	}
	for i, c := range Criteria() {
		if c.Kind != "file" || c.Want != want[i] {
			t.Errorf("criterion %d is %s", i, c)
		}
	}
}

func TestServeRefusesBadArguments(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"--out"}, {"--out", "f", "extra"}, {"--nope"}} {
		var out, errs bytes.Buffer
		if status := Serve(args, &out, &errs); status != 2 || errs.Len() == 0 {
			t.Errorf("%q: status %d, said %q", args, status, errs.String())
		}
	}
}

func TestTaskAndCheckAgree(t *testing.T) {
	t.Parallel()
	if !strings.Contains(Task, strings.Replace(Note, "nine", "eight", 1)) {
		t.Error("the task does not ask for the note that is checked")
	}
	for _, s := range []string{want.Name, want.Remarks, NotePath, OrderPath} {
		if !strings.Contains(Task, s) {
			t.Errorf("the task does not mention %q", s)
		}
	}
}

func TestScriptTellsTheTruth(t *testing.T) {
	t.Parallel()
	if !strings.Contains(string(Script), want.Number()) {
		t.Errorf("the script's last words do not have the number %s", want.Number())
	}
}
