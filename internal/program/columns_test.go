package program

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
)

// painted is what a terminal shows nothing of, and what it takes away again: the status
// line, up to where it is cleared.
var painted = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

// brokenWords are those that a terminal of so many columns breaks in two though a row
// has room for them.
func brokenWords(text string, columns int) (broken []string) {
	for line := range strings.Lines(strings.ReplaceAll(text, "\r\n", "\n")) {
		line = strings.TrimRight(line, "\n")
		if cleared := strings.LastIndex(line, "\r\x1b[K"); cleared >= 0 {
			line = line[cleared:]
		}
		shown := []rune(strings.ReplaceAll(painted.ReplaceAllString(line, ""), "\r", ""))
		for edge := columns; edge < len(shown); edge += columns {
			if shown[edge-1] == ' ' || shown[edge] == ' ' {
				continue
			}
			left := string(shown[:edge])
			word := left[strings.LastIndex(left, " ")+1:]
			right, _, _ := strings.Cut(string(shown[edge:]), " ")
			// Folded lines may be indented by as much as half of the terminal.
			if utf8.RuneCountInString(word+right) <= columns/2 {
				broken = append(broken, word+"|"+right)
			}
		}
	}
	return broken
}

// widths runs a command on terminals of 40, 80 and 200 columns, which are to break no
// word that a row has room for: widths STATUS COMMAND ARGS…. The last one's output stays.
func widths(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: widths STATUS COMMAND ARGS…")
	}
	for _, columns := range []int{40, 80, 200} {
		words := make([]string, len(args)-1)
		for i, word := range args[1:] {
			words[i] = "'" + word + "'"
		}
		err := ts.Exec("script", "-qec", "stty cols "+strconv.Itoa(columns)+"; exec "+strings.Join(words, " "), "/dev/null")
		status := "0"
		if err != nil {
			status = strings.TrimPrefix(err.Error(), "exit status ")
		}
		out := ts.ReadFile("stdout")
		if status != args[0] || strings.TrimSpace(out) == "" {
			ts.Fatalf("%s ended with %s, not with %s\n%s", args[1:], status, args[0], out)
		}
		if broken := brokenWords(out, columns); len(broken) > 0 {
			ts.Fatalf("%s breaks %q on %d columns\n%s", args[1:], broken, columns, out)
		}
	}
}

func TestBrokenWords(t *testing.T) {
	for text, want := range map[string]string{
		"four five six seven\r\n":                             "se|ven",
		"four five six   seven\n":                             "",
		"four fivesixseveneightnineteneleven\n":               "", // no row has room
		"\r\x1b[2m… getting ready for all\r\x1b[Kfour five\n": "",
		"\x1b[31mfour five\x1b[0m six\n":                      "",
		"four five six to\n":                                  "",
		"four five six two\n":                                 "tw|o",
	} {
		if got := strings.Join(brokenWords(text, 16), ","); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
