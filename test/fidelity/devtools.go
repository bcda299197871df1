package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/deskhand/deskhand/sandbox"
)

const (
	devtoolsLimit = 30 * time.Second // for one command
	devtoolsRead  = 8 << 20          // bytes of one message
)

// devtools is one page as DevTools show it. It may be used concurrently; calls
// are made one at a time.
type devtools struct {
	mu     sync.Mutex
	conn   *websocket.Conn
	client *http.Client
	next   int
	events []message // that nobody waited for yet
}

type message struct {
	ID     int             `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// dialPage connects to the first page of the browser at address, through the
// sandbox.
func dialPage(ctx context.Context, sb sandbox.Sandbox, address string) (*devtools, error) {
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) { return sb.Dial(ctx, "tcp", addr) },
	}}
	ctx, cancel := context.WithTimeout(ctx, devtoolsLimit)
	defer cancel()
	url, err := pageURL(ctx, client, address)
	if err != nil {
		return nil, err
	}
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		return nil, fmt.Errorf("DevTools do not answer: %w", err)
	}
	conn.SetReadLimit(devtoolsRead)
	d := &devtools{conn: conn, client: client}
	return d, d.call(ctx, "Page.enable", nil, nil)
}

// pageURL returns the socket of the first page, once there is one.
func pageURL(ctx context.Context, client *http.Client, address string) (string, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/json/list", nil)
		if err != nil {
			return "", err
		}
		var targets []struct {
			Type   string `json:"type"`
			Socket string `json:"webSocketDebuggerUrl"`
		}
		if res, err := client.Do(req); err == nil {
			err = json.NewDecoder(res.Body).Decode(&targets)
			res.Body.Close()
			if err != nil {
				return "", fmt.Errorf("DevTools list no pages: %w", err)
			}
		}
		for _, t := range targets {
			if t.Type == "page" && t.Socket != "" {
				return t.Socket, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("the browser shows no page within %s", devtoolsLimit)
		}
	}
}

// call sends a command and decodes its result into out, unless that is nil.
func (d *devtools) call(ctx context.Context, method string, params, out any) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, devtoolsLimit, fmt.Errorf("%s not within %s", method, devtoolsLimit))
	defer cancel()
	d.next++
	id := d.next
	raw, err := json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	if err != nil {
		return err
	}
	if err := d.conn.Write(ctx, websocket.MessageText, raw); err != nil {
		return fmt.Errorf("DevTools %s: %w", method, err)
	}
	for {
		m, err := d.read(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("DevTools %s: %w", method, err)
		case m.ID != id:
			d.events = append(d.events, m)
		case m.Error != nil:
			return fmt.Errorf("DevTools %s: %s", method, m.Error.Message)
		case out != nil:
			return json.Unmarshal(m.Result, out)
		default:
			return nil
		}
	}
}

func (d *devtools) read(ctx context.Context) (m message, err error) {
	_, raw, err := d.conn.Read(ctx)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return m, err
	}
	return m, json.Unmarshal(raw, &m)
}

// event waits for an event and forgets those before it.
func (d *devtools) event(ctx context.Context, method string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, devtoolsLimit, fmt.Errorf("no %s within %s", method, devtoolsLimit))
	defer cancel()
	for i, m := range d.events {
		if m.Method == method {
			d.events = d.events[i+1:]
			return nil
		}
	}
	d.events = nil
	for {
		m, err := d.read(ctx)
		if err != nil || m.Method == method {
			return err
		}
	}
}

// evaluate runs an expression, waits for its promise and decodes its value. A
// world of 0 is the page's own.
func (d *devtools) evaluate(ctx context.Context, world int, expression string, out any) error {
	params := map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}
	if world != 0 {
		params["contextId"] = world
	}
	var got struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception *struct {
			Text      string `json:"text"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	if err := d.call(ctx, "Runtime.evaluate", params, &got); err != nil {
		return err
	}
	if e := got.Exception; e != nil {
		return fmt.Errorf("in the page: %s %s", e.Text, e.Exception.Description)
	}
	if out == nil || len(got.Result.Value) == 0 {
		return nil
	}
	return json.Unmarshal(got.Result.Value, out)
}

// open shows a page and returns when it has loaded, with a world of its own in
// which scripts see the same elements and none of the page's variables.
func (d *devtools) open(ctx context.Context, url string) (world int, err error) {
	d.mu.Lock()
	d.events = nil
	d.mu.Unlock()
	var frame struct {
		ID    string `json:"frameId"`
		Error string `json:"errorText"`
	}
	if err := d.call(ctx, "Page.navigate", map[string]any{"url": url}, &frame); err != nil {
		return 0, err
	}
	if frame.Error != "" {
		return 0, fmt.Errorf("%s: %s", url, frame.Error)
	}
	if err := d.event(ctx, "Page.loadEventFired"); err != nil {
		return 0, err
	}
	var made struct {
		ID int `json:"executionContextId"`
	}
	err = d.call(ctx, "Page.createIsolatedWorld", map[string]any{"frameId": frame.ID, "worldName": "oracle"}, &made)
	return made.ID, err
}

func (d *devtools) close() error {
	err := d.conn.CloseNow()
	d.client.CloseIdleConnections()
	return err
}
