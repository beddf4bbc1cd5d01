package mask

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestAllowance(t *testing.T) {
	m := New()
	m.Add("known-value-1")
	a := m.Allow(3, 30)
	for _, tt := range []struct {
		value string
		err   error
	}{
		{"known-value-1", nil}, // takes nothing
		{"known-value-1", nil},
		{strings.Repeat("x", 31), ErrAllowance}, // too large, and takes nothing
		{"first-value-10", nil},                 // 14 bytes
		{"first-value-10", nil},                 // known now
		{"17-bytes-in-total", ErrAllowance},     // of 16 that are left
		{"abc", nil},                            // too short, but told
		{"13-bytes-left", nil},                  // of 13
		{"abcd", ErrAllowance},                  // a fourth
		{"", ErrAllowance},
	} {
		if err := a.Add(NewSecret("CHILD", tt.value)); !errors.Is(err, tt.err) {
			t.Errorf("%q: %v, want %v", tt.value, err, tt.err)
		}
	}
	if got := m.String("first-value-10 13-bytes-left 17-bytes-in-total abcd abc"); got != "*** *** 17-bytes-in-total abcd abc" {
		t.Errorf("%q", got)
	}
	if want := []Skipped{{Name: "CHILD", Reason: "shorter than 4 bytes"}}; !slices.EqualFunc(m.Skipped(), want, func(a, b Skipped) bool { return a.String() == b.String() }) {
		t.Errorf("%q, want %q", m.Skipped(), want)
	}
}

// TestAllowance_LiveStream has a child add a value in the middle of a stream.
func TestAllowance_LiveStream(t *testing.T) {
	m := New()
	var out strings.Builder
	w := m.Writer(&out)
	a := m.Allow(1, 100)
	for _, p := range []string{"before minted-token-77\n", "", "after minted-token-77\n"} {
		if p == "" {
			if err := a.Add(NewSecret("", "minted-token-77")); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if _, err := w.Write([]byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := out.String(), "before minted-token-77\nafter ***\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestMasker_ReportsAValueUnderEachName(t *testing.T) {
	m := New()
	for _, name := range []string{"A", "B", "A"} {
		m.AddSecret(NewSecret(name, "abc"))
		m.AddSecret(NewSecret(name, "production"))
	}
	var got []string
	for _, s := range m.Skipped() {
		got = append(got, s.String())
	}
	for _, n := range m.Noisy() {
		got = append(got, n.String())
	}
	want := []string{"A is shorter than 4 bytes", "B is shorter than 4 bytes", "A is a common word", "B is a common word"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestMasker_Bytes(t *testing.T) {
	m := New()
	m.Add("hunter22")
	p := []byte("pw=hunter22")
	if got := m.Bytes(p); string(got) != "pw=***" || string(p) != "pw=hunter22" {
		t.Errorf("%q of %q", got, p)
	}
}
