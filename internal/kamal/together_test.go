package kamal_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal"
)

// TestMaxArguments_IsWhatTheSystemTakes starts a program with as much, and with more.
func TestMaxArguments_IsWhatTheSystemTakes(t *testing.T) {
	most := kamal.MaxArguments()
	if most == 0 {
		t.Skip("how much the system takes is not known")
	}
	// environment is one of that many bytes, with each entry's end and pointer.
	environment := func(size int) (env []string) {
		for size > 0 {
			entry := min(size, 100<<10)
			if rest := size - entry; rest > 0 && rest < 20 {
				entry -= 20
			}
			size -= entry
			name := fmt.Sprintf("N%04d=", len(env))
			env = append(env, name+strings.Repeat("x", entry-len(name)-9))
		}
		return env
	}
	for size, fits := range map[int]bool{most - 200: true, most + 1: false} {
		cmd := exec.CommandContext(t.Context(), "/bin/true")
		cmd.Env = environment(size)
		if err := cmd.Run(); (err == nil) != fits {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestTooLongTogether_NamesTheLongest(t *testing.T) {
	ours := map[string]int{"A": 10, "B": 900, "C": 30, "D": 40, "E": 50, "F": 60}
	if p := kamal.TooLongTogether(ours, ours, 10<<10, "x"); p != nil {
		t.Errorf("it is told: %v", p)
	}
	p := kamal.TooLongTogether(ours, ours, 4<<10+1000, "the hook x")
	if p == nil || len(p.Details) != 6 || p.Details[0] != "B: 900 bytes" || p.Details[5] != "and 1 more" || !strings.Contains(p.Message, "5252 bytes") {
		t.Errorf("%+v", p)
	}
}
