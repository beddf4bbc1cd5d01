package cli

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// helpOf is the help of a command line, by ours or by kong's printer.
func helpOf(t *testing.T, args []string, print kong.HelpPrinter) string {
	t.Helper()
	var g grammar
	var out bytes.Buffer
	parser, err := kong.New(&g, kong.Name("kamal-op"), kong.Description(description), kong.Writers(&out, &out), kong.Help(print),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}), kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = parser.Parse(append(slices.Clone(args), "--help")) // what is missing is no matter of the help's
	return out.String()
}

// At 80 columns a help text is the one that kong writes; at any width it stays within, and
// no two empty lines follow each other.
func TestHelp_FitsTheWidth(t *testing.T) {
	t.Setenv("COLUMNS", "") // which kong reads
	lines := [][]string{nil, {"deploy"}, {"check"}, {"rename"}, {"review"}, {"review", "event"}, {"cache", "warm"}}
	for _, args := range lines {
		for _, width := range []int{40, 80, 200} {
			got := helpOf(t, args, func(_ kong.HelpOptions, ctx *kong.Context) error { return writeHelp(ctx.Stdout, ctx, width, "") })
			if want := helpOf(t, args, kong.DefaultHelpPrinter); width == 80 {
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%v (-kong +ours):\n%s", args, diff)
				}
			}
			if strings.Contains(got, "\n\n\n") {
				t.Errorf("%v at %d columns has empty lines behind each other\n%s", args, width, got)
			}
			for line := range strings.Lines(got) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width {
					t.Errorf("%v at %d columns has a line of %d: %q", args, width, n, line)
				}
			}
		}
	}
}

// What the list above has not: every command, on a narrow terminal.
func TestHelp_FitsANarrowTerminal(t *testing.T) {
	parser, err := kong.New(&grammar{}, kong.Name("kamal-op"))
	if err != nil {
		t.Fatal(err)
	}
	leaves := parser.Model.Leaves(true)
	if len(leaves) < 25 {
		t.Fatalf("only %d commands", len(leaves))
	}
	for _, leaf := range leaves {
		args := strings.Fields(commandPath(leaf))
		got := helpOf(t, args, func(_ kong.HelpOptions, ctx *kong.Context) error {
			return writeHelp(ctx.Stdout, ctx, narrowWidth, exitStatuses)
		})
		for line := range strings.Lines(got) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > narrowWidth {
				t.Errorf("%s has a line of %d: %q", args, n, line)
			}
		}
		if !strings.HasPrefix(got, "Usage: kamal-op "+args[0]) {
			t.Errorf("%s: %q", args, got)
		}
	}
}
