package problem

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func messages(err error) []string {
	var out []string
	for _, p := range Of(err) {
		out = append(out, p.Message)
	}
	return out
}

func TestOf_FindsEveryProblemInOrder(t *testing.T) {
	a, b, c := New("a", ""), Usagef("", "b"), New("c", "")
	for _, test := range []struct {
		name string
		err  error
		want []string
	}{
		{"nothing", nil, nil},
		{"empty list", List{}.Err(), nil},
		{"one", a, []string{"a"}},
		{"wrapped", fmt.Errorf("reading: %w", a), []string{"a"}},
		{"list", List{a, b}, []string{"a", "b"}},
		{"joined with a list", errors.Join(a, List{b, c}), []string{"a", "b", "c"}},
		{"joined twice", errors.Join(errors.Join(a, nil), errors.Join(List{b}, c)), []string{"a", "b", "c"}},
		{"no problem", fs.ErrNotExist, []string{"file does not exist"}},
		{"among problems", errors.Join(fs.ErrNotExist, b), []string{"file does not exist", "b"}},
		{"wrapped list", fmt.Errorf("x: %w", List{a, b}), []string{"a", "b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, messages(test.err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStatus_UsageBeforeRefusalBeforeTheFirst(t *testing.T) {
	found, usage := New("", ""), Usagef("", "")
	refused, partial := &Problem{Status: Refused}, &Problem{Status: Partial}
	for _, test := range []struct {
		err  error
		want int
	}{
		{nil, Done},
		{found, Found},
		{&Problem{}, Found},
		{errors.New("plain"), Found},
		{partial, Partial},
		{List{found, refused}, Refused},
		{List{refused, usage, found}, Usage},
		{List{usage, refused}, Usage},
		{List{found, partial}, Found},
	} {
		if got := Status(test.err); got != test.want {
			t.Errorf("the status of %v is %d, not %d", messages(test.err), got, test.want)
		}
	}
}

func TestPlace(t *testing.T) {
	for want, p := range map[string]Place{
		"": {Line: 3}, "f": {File: "f"}, "f:3": {File: "f", Line: 3}, "f:3:7": {File: "f", Line: 3, Column: 7},
	} {
		if got := p.String(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	if got := New("m", "").At("config/deploy.yml", 18, 0).Error(); got != "config/deploy.yml:18: m" {
		t.Error(got)
	}
}

func TestProblem_CauseIsFound(t *testing.T) {
	err := List{New("x", ""), {Message: "y", Cause: fs.ErrPermission}}.Err()
	if !errors.Is(err, fs.ErrPermission) {
		t.Error("the cause of the second problem is not found")
	}
}
