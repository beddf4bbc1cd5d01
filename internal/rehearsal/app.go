package rehearsal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// AppAddress is where the sample app listens in its container: the port that
// kamal-proxy expects an app at.
const AppAddress = ":80"

// An AppAnswer is what the sample app answers with: its environment, as digests.
type AppAnswer struct {
	App string            `json:"app"`
	Env map[string]string `json:"env"` // name to Digest of the value
}

// Digest is what stands for a value wherever a rehearsal compares one: its
// SHA-256 in hex.
func Digest(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

// ServeApp is the sample app. It listens on addr, answers /up as kamal-proxy's
// health check wants it and / with an AppAnswer of env (NAME=value), and ends
// with ctx. It answers nothing else: the digest of a guessable value is as good
// as the value, so nobody but a rehearsal should run it.
func ServeApp(ctx context.Context, addr string, env []string) error {
	answer := AppAnswer{App: "kamal-op rehearsal", Env: map[string]string{}}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		answer.Env[name] = Digest(value)
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("writing the app's answer: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /up", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(w, "up") // who asked may be gone
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(body, '\n')) // who asked may be gone
	})
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}
