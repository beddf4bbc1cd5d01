package cli

import (
	"fmt"
	"go/doc/comment"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// exitStatuses ends every help text.
const exitStatuses = `
Every option can be given as a flag (--ssh-key), as an input of the action
(ssh-key) or in the environment (KAMAL_OP_SSH_KEY, lists one a line).
Credentials: OP_SERVICE_ACCOUNT_TOKEN, or OP_CONNECT_HOST with OP_CONNECT_TOKEN
or OP_CONNECT_TOKEN_FILE.

Exit status: 0 done; Kamal's own where Kamal failed; 2 wrong usage; 3 a problem
found before anything changed; 4 1Password refused or could not be reached;
5 time ran out; 6 done in part; 7 kamal-op plan --exit-code would change
something; 130 and 143 cancelled. kamal-op run passes on the command's own; 125
is a problem of ours, 126 and 127 as in a shell.
`

// helpCommand is `kamal-op help [COMMAND]`.
type helpCommand struct {
	Command []string `arg:"" optional:"" name:"command" help:"The command, such as deploy or review sweep."`
}

// Run prints what `COMMAND --help` prints.
func (c helpCommand) Run(a *app) error {
	return exitStatus(a.main(append(slices.Clone(c.Command), "--help"), noForm))
}

// The widths of a help text: of a terminal between the two, else the third.
const (
	narrowWidth = 40
	wideWidth   = 200
	usualWidth  = 80
)

// helpWidth is the width for what is written to our standard output.
func (a *app) helpWidth() int {
	if width := a.Stdout.Width(); a.Stdout.IsTerminal() && width > 0 {
		return min(max(width, narrowWidth), wideWidth)
	}
	return usualWidth
}

// summary is a command's line of usage. The tag usage says what kong cannot: arguments
// that come together or not at all, a word that stands there as it is.
func summary(node *kong.Node) string {
	if arguments := node.Tag.Get("usage"); arguments != "" {
		return commandPath(node) + " " + arguments + " [flags]"
	}
	return node.Summary()
}

// help prints a command's help and what holds for every command. kong's own printer
// knows the width of nothing but a file, and ours is the gate.
func (a *app) help(_ kong.HelpOptions, ctx *kong.Context) error {
	return writeHelp(ctx.Stdout, ctx, a.helpWidth(), exitStatuses)
}

// writeHelp writes the help of the command that the context has come to.
func writeHelp(w io.Writer, ctx *kong.Context, width int, end string) error {
	h := helpText{width: width}
	node := ctx.Selected()
	if node == nil {
		node = ctx.Model.Node
		h.text("Usage: " + ctx.Model.Name + ctx.Model.Summary())
	} else {
		h.text("Usage: " + ctx.Model.Name + " " + summary(node))
	}
	if node.Help != "" {
		h.line("")
		h.text(node.Help)
	}
	if len(node.Positional) > 0 {
		h.line("")
		h.line("Arguments:")
		var rows [][2]string
		for _, p := range node.Positional {
			rows = append(rows, [2]string{p.Summary(), p.Help})
		}
		h.columns(rows)
	}
	h.line("")
	h.line("Flags:")
	var rows [][2]string
	for i, group := range node.AllFlags(true) {
		if i > 0 {
			rows = append(rows, [2]string{})
		}
		for _, f := range group {
			rows = append(rows, [2]string{flagForm(f), f.Help})
		}
	}
	h.columns(rows)
	rows = nil
	for _, child := range node.Children {
		if !child.Hidden {
			rows = append(rows, [2]string{child.Path(), child.Help})
		}
	}
	if len(rows) > 0 {
		h.line("")
		h.line("Commands:")
		h.columns(rows)
	}
	if node.Type == kong.ApplicationNode {
		h.line("")
		h.text(fmt.Sprintf(`Run "%s <command> --help" for more information on a command.`, ctx.Model.Name))
	}
	if end != "" {
		h.line("")
		h.text(end)
	}
	_, err := io.WriteString(w, h.b.String())
	return err
}

// flagForm is a flag as the first column has it: all commands have a short one, -h.
func flagForm(f *kong.Flag) string {
	text := "    --" + f.Name
	if f.Short != 0 {
		text = "-" + string(f.Short) + ", --" + f.Name
	}
	if !f.IsBool() {
		text += "=" + f.FormatPlaceHolder()
	}
	return text
}

// A helpText is a help text as it grows.
type helpText struct {
	b     strings.Builder
	width int
}

func (h *helpText) line(text string) { h.b.WriteString(strings.TrimRight(text, " ") + "\n") }

// text writes a paragraph, or more of them.
func (h *helpText) text(text string) {
	for _, l := range wrapped(text, h.width) {
		h.line(l)
	}
}

// columns writes rows of two columns, indented by two. A first column that is longer
// than its share has a line for itself.
func (h *helpText) columns(rows [][2]string) {
	const indent, gap = "  ", 4
	width := h.width - len(indent)
	most := max(375*width/1000, 30)
	if width < 60 {
		most = 0 // there is no room for two columns beside each other
	}
	left := 0
	for _, row := range rows {
		if n := len(row[0]); n > left && n < most {
			left = n
		}
	}
	for _, row := range rows {
		if row[0] == "" {
			h.line("")
			continue
		}
		lines := wrapped(row[1], width-left-gap)
		first := fmt.Sprintf("%s%-*s", indent, left, row[0])
		if len(row[0]) < most {
			first += strings.Repeat(" ", gap) + lines[0]
			lines = lines[1:]
		}
		for _, l := range brokenFlag(first, h.width) {
			h.line(l)
		}
		for _, l := range lines {
			h.line(indent + strings.Repeat(" ", left+gap) + l)
		}
	}
}

// brokenFlag is a flag with its value in lines of at most so many columns: it is broken
// behind its name, and between what the value can be.
func brokenFlag(form string, width int) []string {
	name, value, ok := strings.Cut(form, "=")
	if !ok || utf8.RuneCountInString(form) <= width {
		return []string{form}
	}
	const indent = "          "
	lines := []string{name + "="}
	line := indent
	for part := range strings.SplitAfterSeq(value, "|") {
		if line != indent && utf8.RuneCountInString(line+part) > width {
			lines, line = append(lines, line), indent
		}
		line += part
	}
	return append(lines, line)
}

// wrapped is a text in lines of at most so many columns.
func wrapped(text string, width int) []string {
	var p comment.Parser
	text = strings.NewReplacer("[", "\x01", "]", "\x02").Replace(text) // they would be links
	out := (&comment.Printer{TextWidth: width}).Text(p.Parse(text))
	restored := strings.NewReplacer("\x01", "[", "\x02", "]").Replace(string(out))
	return strings.Split(strings.TrimRight(restored, "\n"), "\n")
}
