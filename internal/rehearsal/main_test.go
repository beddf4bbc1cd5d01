package rehearsal_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/kamal-op/kamal-op/internal/rehearsal"
)

// TestMain runs the tests, or is the sample app: the image of the sample is made
// of the executable that rehearses.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "rehearsal-app" {
		if err := rehearsal.ServeApp(context.Background(), rehearsal.AppAddress, os.Environ()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}
