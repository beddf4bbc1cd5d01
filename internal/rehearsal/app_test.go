package rehearsal_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/kamal-op/kamal-op/internal/rehearsal"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// freeAddress is one that nobody listens on; another program may have it a moment later.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func TestServeApp_AnswersDigestsOnly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var address string
	ended := make(chan error, 1)
	transport := &http.Transport{DisableKeepAlives: true}
	get := func(path string) (int, string) {
		response, err := (&http.Client{Transport: transport}).Get("http://" + address + path)
		if err != nil {
			return 0, ""
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Error(err)
		}
		return response.StatusCode, string(body)
	}
	start := func() {
		address = freeAddress(t)
		go func() { ended <- rehearsal.ServeApp(ctx, address, []string{"NAME=a=value", "EMPTY=", "ODD"}) }()
	}
	start()
	testkit.WaitFor(t, "the app", func() bool {
		select {
		case err := <-ended:
			if !errors.Is(err, syscall.EADDRINUSE) {
				t.Fatal(err)
			}
			start()
		default:
		}
		status, _ := get("/up")
		return status == http.StatusOK
	})
	status, body := get("/")
	if status != http.StatusOK || strings.Contains(body, "a=value") {
		t.Errorf("%d %s", status, body)
	}
	var answer rehearsal.AppAnswer
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Env) != 3 || answer.Env["NAME"] != rehearsal.Digest("a=value") || answer.Env["EMPTY"] != rehearsal.Digest("") {
		t.Errorf("%v", answer.Env)
	}
	if status, _ := get("/env"); status != http.StatusNotFound {
		t.Errorf("/env answers with %d", status)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
