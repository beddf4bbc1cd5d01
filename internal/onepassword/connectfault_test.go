package onepassword_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// A fault answers a request in place of the vault.
type fault func(w http.ResponseWriter, r *http.Request)

func status(code int, header ...string) fault {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"status":%d,"message":"a message"}`, code)
	}
}

func body(text string) fault {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func stall(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func stallInBody(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, `[{"id":"`)
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// raw writes bytes to the connection and closes it, by a reset if nothing is
// written.
func raw(text string) fault {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		if text == "" {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
		}
		_, _ = io.WriteString(conn, text)
		_ = conn.Close()
	}
}

// endless writes as long as somebody reads, a GiB at most.
func endless(sent *atomic.Int64) fault {
	return func(w http.ResponseWriter, _ *http.Request) {
		block := []byte(`["` + strings.Repeat("a", 64<<10))
		for sent.Load() < 1<<30 {
			n, err := w.Write(block)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
}

// TestConnect_ReportsFaults walks every fault at every request of a run of four requests,
// once and for ever. The run recovers with the right values, or it stops with a
// problem that names the secrets and the cause. Nothing else is let pass.
func TestConnect_ReportsFaults(t *testing.T) {
	const (
		recovers = "" // the run ends well
	)
	truncated := "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n[{\"id\":\""
	cutOff := "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[{\"id\":\"abc\",\"na"
	faults := []struct {
		name  string
		fault fault
		once  string // what is in the problem when it strikes once
		ever  string // what is in the problem when it strikes for ever
		at    int    // which request it is for; 0 is each
	}{
		{"429", status(429), recovers, "answered 429", 0},
		{"429 and a short wait", status(429, "Retry-After", "1"), recovers, "answered 429", 0},
		{"429 and a date", func(w http.ResponseWriter, r *http.Request) {
			status(429, "Retry-After", time.Now().Add(time.Second).UTC().Format(http.TimeFormat))(w, r)
		}, recovers, "answered 429", 0},
		{"429 and a long wait", status(429, "Retry-After", "3600"), "answered 429", "answered 429", 0},
		{"408", status(408), recovers, "answered 408", 0},
		{"500", status(500), recovers, "answered 500", 0},
		{"502", status(502), recovers, "answered 502", 0},
		{"503", status(503, "Retry-After", "1"), recovers, "answered 503", 0},
		{"504", status(504), recovers, "answered 504", 0},
		{"501", status(501), "answered 501", "answered 501", 0},
		{"400", status(400), "answered 400", "answered 400", 0},
		{"a page", body("<html>"), "not the JSON", "not the JSON", 0},
		{"302", status(302, "Location", "http://127.0.0.1:1/elsewhere"), "answered 302", "answered 302", 0},
		{"401 at the first", status(401), recovers, "answered 401", 1},
		{"401 mid-run", status(401), "answered 401", "answered 401", 2},
		{"401 at an item", status(401), "answered 401", "answered 401", 3},
		{"403 in passing", status(403), recovers, "answered 403", 0},
		{"reset", raw(""), recovers, "broke off", 0},
		{"closed after headers", raw("HTTP/1.1 200 OK\r\n"), recovers, "broke off", 0},
		{"stall", stall, recovers, "in time", 0},
		{"stall in the body", stallInBody, recovers, "in time", 0},
		{"truncated", raw(truncated), recovers, "broke off", 0},
		{"cut off without a length", raw(cutOff), recovers, "cut off", 0},
		{"empty", body(""), recovers, "cut off", 0},
		{"not HTTP", raw("SSH-2.0-OpenSSH\r\n"), recovers, "reached", 0},
		{"JSON of another kind", body(`"a text"`), "not the JSON", "not the JSON", 0},
		{"JSON with more behind", body(`[] []`), "not the JSON", "not the JSON", 0},
		{"a list for an item", body(`[]`), "not the JSON", "not the JSON", 3},
		{"an item for a list", body(`{}`), "not the JSON", "not the JSON", 2},
		{"an empty item", body(`{}`), "another than the one asked for", "another than the one asked for", 3},
		{"null for an item", body(`null`), "another than the one asked for", "another than the one asked for", 4},
		{"another item", body(`{"id":"` + id("other") + `","fields":[{"label":"A","value":"wrong value"}]}`), "another than the one asked for", "another than the one asked for", 3},
		{"the item of another vault", body(`{"id":"` + id("one") + `","vault":{"id":"` + id("w") + `"},"fields":[{"label":"A","value":"wrong value"}]}`), "another than the one asked for", "another than the one asked for", 3},
		{"an item without an id in the list", body(`[{"title":"one"}]`), "without an id", "without an id", 2},
		{"a vault without an id", body(`[{"name":"MyApp"}]`), "without an id", "without an id", 1},
		{"a number for a value", body(`{"id":"` + id("one") + `","fields":[{"label":"A","value":1}]}`), "not the JSON", "not the JSON", 3},
		{"a length of a GiB", status(200, "Content-Length", strconv.Itoa(1<<30)), "is larger than", "is larger than", 0},
	}
	// Requests are told apart by what they ask for, and not by their number.
	paths := []string{"/v1/vaults", "/v1/vaults/" + id("v") + "/items", "/v1/vaults/" + id("v") + "/items/" + id("one"), "/v1/vaults/" + id("v") + "/items/" + id("two")}
	item := func(name, label, value string) string {
		return fmt.Sprintf(`{"id":%q,"title":%q,"vault":{"id":%q},"fields":[{"label":%q,"value":%q}]}`, id(name), name, id("v"), label, value)
	}
	answers := map[string]string{
		paths[0]:  `[{"id":"` + id("v") + `","name":"MyApp"}]`,
		paths[1]:  "[" + item("one", "A", "") + "," + item("two", "B", "") + "]",
		paths[2]:  item("one", "A", "right value A"),
		paths[3]:  item("two", "B", "right value B\n"),
		"/health": `{"version":"1.8.1"}`,
	}
	declared := declare(t, "A=op://MyApp/one/A", "B=op://MyApp/two/B")
	run := func(t *testing.T, f fault, at int, ever bool) (map[string]string, int64, error) {
		var struck atomic.Bool
		var requests atomic.Int64
		backend := connectTo(t, func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			switch body, ok := answers[r.URL.Path]; {
			case r.URL.Path == paths[at-1] && (!struck.Swap(true) || ever):
				f(w, r)
			case ok:
				_, _ = io.WriteString(w, body)
			default:
				t.Errorf("an unexpected request: %s", r.URL.Path)
			}
		})
		r := onepassword.NewResolver(backend, onepassword.Options{Deadline: 4 * time.Second})
		got, err := r.Resolve(t.Context(), declared)
		return reveal(got), requests.Load(), err
	}
	check := func(t *testing.T, name string, f fault, at int, ever bool, want string) {
		began := time.Now()
		got, requests, err := run(t, f, at, ever)
		took := time.Since(began)
		if took > 20*time.Second { // the deadline, the health page, and what a busy machine adds
			t.Errorf("%s: it took %v", name, took)
		}
		if want == recovers {
			if err != nil || len(got) != 2 || got["A"] != "right value A" || got["B"] != "right value B\n" {
				t.Errorf("%s: did not recover after %d requests in %v: %v", name, requests, took, err)
			}
			return
		}
		if err == nil {
			t.Errorf("%s: passed, with %d secrets", name, len(got))
			return
		}
		if problem.Status(err) != problem.Refused {
			t.Errorf("%s: status %d of %v", name, problem.Status(err), err)
		}
		var text strings.Builder
		for _, p := range problem.Of(err) {
			fmt.Fprintln(&text, p.Message, p.Details, p.Hint)
			if p.Hint == "" {
				t.Errorf("%s: no hint: %s", name, p.Message)
			}
		}
		told := text.String()
		if !strings.Contains(told, want) || !strings.Contains(told, "op://MyApp/") && !strings.Contains(told, "wanted for A, B") {
			t.Errorf("%s: %q does not have %q and a secret's name", name, told, want)
		}
		if strings.Contains(told, "right value") || strings.Contains(told, "wrong value") {
			t.Errorf("%s: a value stands in %q", name, told)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		for _, test := range faults {
			for at := 1; at <= 4; at++ {
				if test.at != 0 && test.at != at {
					continue
				}
				wg.Go(func() { check(t, fmt.Sprintf("%s at %d once", test.name, at), test.fault, at, false, test.once) })
				wg.Go(func() { check(t, fmt.Sprintf("%s at %d for ever", test.name, at), test.fault, at, true, test.ever) })
			}
		}
		wg.Wait()
	})
}

// connectTo is a Connect backend whose server is the handler, over connections in
// memory: in a bubble of testing/synctest nothing is waited for.
func connectTo(t *testing.T, handler http.HandlerFunc) *onepassword.Connect {
	t.Helper()
	backend, err := onepassword.NewConnect(onepassword.ConnectOptions{
		Host: "http://connect:8080", Token: mask.NewSecret("token", connectToken()), Timeout: time.Second, Concurrency: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	l := &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	backend.DialWith(l.dial)
	server := &http.Server{Handler: handler, ErrorLog: discardLog(), ReadHeaderTimeout: time.Minute}
	done := make(chan error)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(backend.Close(), server.Close()); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return backend
}

// A memoryListener is a listener whose connections are pipes in memory.
type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *memoryListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *memoryListener) Close() error {
	close(l.closed)
	return nil
}

// TestConnect_DoesNotReadALargeBody: a body without an end is cut off at the limit
// and not read on, whichever request it answers.
func TestConnect_DoesNotReadALargeBody(t *testing.T) {
	for at := 1; at <= 4; at++ {
		vault, r := startVault(t, walkthrough)
		var sent atomic.Int64
		vault.SetFault(func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n == at {
				endless(&sent)(w, r)
			}
			return n == at
		})
		_, err := r.Resolve(t.Context(), declare(t, "op://MyApp/Production", "KEY=op://MyApp/Server/SSH_KEY"))
		if err == nil || !strings.Contains(err.Error(), "is larger than") {
			t.Errorf("at %d: %v", at, err)
		}
		if n := sent.Load() >> 20; n > 48 {
			t.Errorf("at %d: %d MiB were sent before the client hung up", at, n)
		}
	}
}

// TestConnect_ExplainsFailures: what failed is explained by the server's own health.
func TestConnect_ExplainsFailures(t *testing.T) {
	vault, r := startVault(t, walkthrough)
	vault.SetFault(func(_ int, w http.ResponseWriter, r *http.Request) bool { status(400)(w, r); return true })
	_, err := r.Resolve(t.Context(), declare(t, "A=op://MyApp/Production/A"))
	const want = "the server says of itself: version 1.8.1, sqlite ACTIVE, sync TOKEN_NEEDED"
	if p := problem.Of(err); len(p) != 1 || len(p[0].Details) != 1 || p[0].Details[0] != want {
		t.Errorf("%v", p[0].Details)
	}
}
