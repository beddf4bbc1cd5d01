package rehearsal_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/rehearsal"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

func TestServeApp_AnswersDigestsOnly(t *testing.T) {
	// A free port: it may be taken between here and there, which fails loudly.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- rehearsal.ServeApp(ctx, address, []string{"NAME=a=value", "EMPTY=", "ODD"}) }()

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
	testkit.WaitFor(t, "the app", func() bool {
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
