// The app that the end-to-end tests deploy: it says that it is up, which version
// it is, and the digest of each variable of its environment, so that a test can
// compare what arrived without a value leaving the container.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	if address := os.Getenv("DATABASE_ADDRESS"); address != "" {
		// As an app does, it needs its database from the beginning to the end.
		if err := connect(address, os.Getenv("DATABASE_NAME")); err != nil {
			println(err.Error())
			os.Exit(1)
		}
	}
	if len(os.Args) > 1 && os.Args[1] == "digests" {
		for _, entry := range os.Environ() { // of a command, such as a migration
			name, value, _ := strings.Cut(entry, "=")
			sum := sha256.Sum256([]byte(value))
			fmt.Println(name, hex.EncodeToString(sum[:]))
		}
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/up", func(w http.ResponseWriter, _ *http.Request) {
		if os.Getenv("APP_IS_ILL") != "" || os.Getenv("APP_IS_ILL_ON") == os.Getenv("KAMAL_HOST") {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/digests", func(w http.ResponseWriter, _ *http.Request) {
		digests := make(map[string]string)
		for _, entry := range os.Environ() {
			name, value, _ := strings.Cut(entry, "=")
			sum := sha256.Sum256([]byte(value))
			digests[name] = hex.EncodeToString(sum[:])
		}
		if err := json.NewEncoder(w).Encode(digests); err != nil {
			panic(http.ErrAbortHandler)
		}
	})
	// As the first process of its container nothing ends it but what it asks for.
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	server := &http.Server{Addr: ":80", Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ended
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); err != nil && !errors.Is(err, http.ErrServerClosed) {
		println(err.Error())
		os.Exit(1)
	}
}
