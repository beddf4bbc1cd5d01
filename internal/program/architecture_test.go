package program

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The table of docs/architecture.md is the imports of the code: every room is in it,
// with what it imports of ours on Linux.
func TestArchitecture(t *testing.T) {
	const module = "github.com/kamal-op/kamal-op"
	page, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]string{}
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); len(cells) == 5 && strings.HasPrefix(cells[1], " `") {
			table[strings.Trim(cells[1], " `")] = strings.TrimSpace(cells[3])
		}
	}
	list := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...")
	list.Env = append(os.Environ(), "GOOS=linux")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	code := map[string]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		room := strings.TrimPrefix(strings.TrimPrefix(words[0], module), "/")
		switch first, _, _ := strings.Cut(room, "/"); {
		case first == "bench", first == "build", first == "e2e", strings.HasSuffix(room, "test"), strings.HasPrefix(room, "internal/testkit"):
			continue // for tests and tools
		case room == "":
			room = "main.go"
		}
		var ours []string
		for _, path := range words[1:] {
			if path, ok := strings.CutPrefix(path, module+"/"); ok {
				ours = append(ours, strings.TrimPrefix(path, "internal/"))
			}
		}
		slices.Sort(ours)
		code[room] = strings.Join(ours, ", ")
		if len(ours) == 0 {
			code[room] = "–"
		}
	}
	if diff := cmp.Diff(code, table); diff != "" {
		t.Errorf("docs/architecture.md (-code +page):\n%s", diff)
	}
}
