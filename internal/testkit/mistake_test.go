package testkit_test

import (
	"testing"

	"github.com/kamal-op/kamal-op/internal/testkit"
)

// A mistake that changes nothing anywhere is one that no test of check meets.
func TestBroken_everyMistakeChangesAProject(t *testing.T) {
	for _, mistake := range testkit.Mistakes {
		met := false
		for seed := uint64(0); seed < 200 && !met; seed++ {
			_, met = testkit.Generate(seed).Broken(mistake, seed)
		}
		if !met {
			t.Errorf("%s: no project of 200 has a place for it", mistake)
		}
	}
}
