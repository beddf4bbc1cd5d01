package edit

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/gate"
)

// WritePlan writes a plan for a person: the diff of every file, then what is left
// to do by hand, with its lines folded. dry says that the files are not to be changed.
func WritePlan(w io.Writer, p Plan, dry, colour bool, fold func(string) string) error {
	var diffs, b strings.Builder
	paint := gate.Painter(colour)
	var files []string
	for _, c := range p.Changes {
		for line := range strings.Lines(c.Diff()) {
			text, end := strings.TrimRight(line, "\r\n"), "\n"
			switch {
			case strings.HasPrefix(text, "---"), strings.HasPrefix(text, "+++"):
				text = paint("1", text)
			case strings.HasPrefix(text, "@@"):
				text = paint("36", text)
			case strings.HasPrefix(text, "-"):
				text = paint("31", text)
			case strings.HasPrefix(text, "+"):
				text = paint("32", text)
			}
			diffs.WriteString(text + end)
		}
		diffs.WriteByte('\n')
		files = append(files, c.File)
	}
	switch {
	case p.Stays:
		fmt.Fprintf(&b, "%s nothing is written: none of what is wrong can be mended by writing, and it stays\n", paint("33", "!"))
	case len(files) == 0:
		fmt.Fprintf(&b, "%s nothing to change\n", paint("32", "✓"))
	case dry:
		fmt.Fprintf(&b, "%s nothing is written (--dry-run): %s would change\n", paint("33", "!"), gate.Visible(strings.Join(files, ", ")))
	default:
		fmt.Fprintf(&b, "%s wrote %s\n", paint("32", "✓"), gate.Visible(strings.Join(files, ", ")))
	}
	for _, note := range p.Notes {
		fmt.Fprintf(&b, "  note: %s\n", gate.Visible(note))
	}
	for _, t := range p.Todo {
		switch t.State {
		case check.Yes:
			fmt.Fprintf(&b, "%s %s is there\n", paint("32", "✓"), gate.Visible(t.Reference))
		case check.No:
			fmt.Fprintf(&b, "%s left to do: %s (it is not there yet)\n", paint("33", "!"), gate.Visible(t.Text))
		default:
			fmt.Fprintf(&b, "%s left to do: %s\n", paint("33", "!"), gate.Visible(t.Text))
		}
	}
	_, err := io.WriteString(w, diffs.String()+fold(b.String()))
	return err
}

type jsonChange struct {
	File   string `json:"file"`
	Action string `json:"action"`
	Diff   string `json:"diff"`
}

type jsonTodo struct {
	Do        string `json:"do"`
	Reference string `json:"reference,omitempty"`
	Text      string `json:"text"`
	Done      *bool  `json:"done"`
}

// WritePlanJSON writes a plan for a program: docs/agents.md has the shape.
func WritePlanJSON(w io.Writer, p Plan, dry bool) error {
	out := struct {
		Command string       `json:"command"`
		Names   []string     `json:"names"`
		Changed bool         `json:"changed"`
		Written bool         `json:"written"`
		Files   []jsonChange `json:"files"`
		Todo    []jsonTodo   `json:"todo"`
		Notes   []string     `json:"notes"`
	}{
		Command: p.Command, Names: p.Names, Changed: len(p.Changes) > 0, Written: len(p.Changes) > 0 && !dry,
		Files: []jsonChange{}, Todo: []jsonTodo{}, Notes: append([]string{}, p.Notes...),
	}
	if out.Names == nil {
		out.Names = []string{}
	}
	for _, c := range p.Changes {
		action := "edit"
		switch {
		case c.Created:
			action = "create"
		case c.Deleted:
			action = "delete"
		}
		out.Files = append(out.Files, jsonChange{c.File, action, c.Diff()})
	}
	for _, t := range p.Todo {
		j := jsonTodo{Do: t.Do, Reference: t.Reference, Text: t.Text}
		if t.State == check.Yes || t.State == check.No {
			done := t.State == check.Yes
			j.Done = &done
		}
		out.Todo = append(out.Todo, j)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}
