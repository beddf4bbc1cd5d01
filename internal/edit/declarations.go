package edit

import (
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// inlineDeclaration is a declaration wherever it stands, as in quotes or in braces.
var inlineDeclaration = lazy.Regexp(`(?:^|[\s"'\x60,\[{=]|\\n)([A-Za-z_]\w*)=(?:op|env)://`)

// An inlineName is a name that is declared in a line with others, or with a key.
type inlineName struct {
	name string
	at   problem.Place
}

// inlineDeclarations are those that stand in no line of their own: they are told, and not
// changed. What a comment or a command of 1Password's has is none.
func inlineDeclarations(text string) (all []inlineName) {
	own := map[int]bool{}
	for _, l := range declarations(text) {
		own[l.from] = true
	}
	from, number := 0, 0
	for line := range strings.Lines(text) {
		number++
		if trimmed := strings.TrimSpace(line); !own[from] && !strings.HasPrefix(trimmed, "#") {
			for _, m := range inlineDeclaration().FindAllStringSubmatchIndex(line, -1) {
				all = append(all, inlineName{line[m[2]:m[3]], problem.Place{Line: number, Column: len([]rune(line[:m[2]])) + 1}})
			}
		}
		from += len(line)
	}
	return all
}

// declaredBlocks are the declarations of a workflow as they stand together: those of one
// step or one job.
func declaredBlocks(text string) (blocks [][]declaredLine) {
	for _, l := range declarations(text) {
		last := len(blocks) - 1
		if last < 0 || !together(text, blocks[last][len(blocks[last])-1], l) {
			blocks = append(blocks, []declaredLine{l})
			continue
		}
		blocks[last] = append(blocks[last], l)
	}
	return blocks
}

// together tells whether nothing further out stands between two declarations.
func together(text string, a, b declaredLine) bool {
	if a.in != b.in || a.entry != b.entry {
		return false
	}
	for line := range strings.Lines(text[a.to:b.from]) {
		trimmed := strings.TrimLeft(line, " ")
		if strings.TrimSpace(trimmed) != "" && len(line)-len(trimmed) < b.in {
			return false
		}
	}
	return true
}

// forOthers tells whether a declaration is one of other destinations than the one that was
// asked for.
func (e *editor) forOthers(f *workFile, l declaredLine, d string) bool {
	return e.alone && e.o.ForOthers(f.text, e.tree.top, strings.Count(f.text[:l.from], "\n"), d)
}

// declareIn adds a declaration behind the last of each step or job of a workflow that has
// some, and is not another destination's; found is whether it has any. Those that stand in
// no lines of their own are told.
func (e *editor) declareIn(f *workFile, d, name string, ref onepassword.Reference) (found bool) {
	for _, lines := range slices.Backward(declaredBlocks(f.text)) {
		if e.forOthers(f, lines[0], d) {
			continue
		}
		found = true
		if i := slices.IndexFunc(lines, func(l declaredLine) bool { return l.name == name }); i >= 0 {
			e.needReference(lines[i].reference)
			continue
		}
		last := lines[len(lines)-1]
		reference := besides(lines, name)
		if ref.Vault != "" {
			reference = referenceFor(name, ref)
		}
		eol := "\n"
		if strings.HasSuffix(f.text[:last.to], "\r\n") {
			eol = "\r\n"
		}
		line := strings.Repeat(" ", last.in) + last.entry + name + "=" + reference
		if strings.HasSuffix(f.text[:last.to], "\n") {
			line += eol
		} else {
			line = eol + line
		}
		f.text = f.text[:last.to] + line + f.text[last.to:]
		e.needReference(reference)
		if onepassword.IsVariable(reference) {
			e.plan.todo(Todo{Do: "load", Reference: reference, Text: "have a step of " + f.name + " load " + name +
				", and hand it to the step of kamal-op, under env: there"})
		}
	}
	e.tellInline(f, name)
	return found
}

// tellInline notes each line that declares secrets in another form, and not this one.
func (e *editor) tellInline(f *workFile, name string) {
	inline := inlineDeclarations(f.text)
	told := map[int]bool{}
	for _, one := range inline {
		if one.name == name {
			told[one.at.Line] = true
		}
	}
	for _, one := range inline {
		if !told[one.at.Line] {
			told[one.at.Line] = true
			one.at.File = f.name
			text := one.at.String() + " declares secrets in one line, which is not changed: declare " + name + " there too, if that run needs it"
			if !slices.Contains(e.plan.Notes, text) {
				e.plan.note("%s", text)
			}
		}
	}
}
