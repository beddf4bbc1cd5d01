package broker_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/kamal-op/kamal-op/internal/broker/opclient"
)

// TestMain lets the test binary be the `op` of the brokers it starts.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == opclient.Name {
		os.Exit(opclient.Main(os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}
