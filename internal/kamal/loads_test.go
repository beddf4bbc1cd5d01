package kamal

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// What Kamal refuses is a problem in its own words; what it prints of a
// configuration that it takes goes nowhere.
func TestLoads(t *testing.T) {
	dir := t.TempDir()
	binary := Binary{Path: filepath.Join(dir, "kamal")}
	write := func(script string) {
		if err := os.WriteFile(binary.Path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	o := ProjectOptions{Dir: dir, Destination: "eu"}
	write("[ \"$*\" = \"config --destination=eu --version=init\" ] && [ -z \"$OP_SERVICE_ACCOUNT_TOKEN\" ] && echo key_data\n")
	if err := Loads(context.Background(), binary, o, []string{"OP_SERVICE_ACCOUNT_TOKEN=x"}); err != nil {
		t.Error(err)
	}
	write("printf '  \\033[31mERROR (ArgumentError): You must specify a destination\\033[0m\\n'; exit 1\n")
	err := Loads(context.Background(), binary, o, nil)
	if err == nil || err.Error() != "config/deploy.yml: Kamal does not take config/deploy.yml with the destination eu: You must specify a destination" {
		t.Errorf("%v", err)
	}
	for _, p := range problem.Of(err) {
		if p.Hint == "" || strings.Contains(p.Message, "\x1b") {
			t.Errorf("%+v", p)
		}
	}
}
