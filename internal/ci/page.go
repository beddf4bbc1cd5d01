package ci

import (
	"fmt"
	"strings"

	"github.com/kamal-op/kamal-op/internal/gate"
)

// A page is Markdown as GitHub has it. Texts go through Escape or Code first:
// names of fields, hosts and versions are other people's.
type page struct{ strings.Builder }

// line is a paragraph of one line.
func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n\n", args...) }

func (p *page) heading(text string) { p.line("### %s", text) }

// block is text as it is, with a fence that is longer than any in it.
func (p *page) block(language, text string) {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	p.line("%s%s\n%s\n%s", fence, language, strings.TrimRight(text, "\n"), fence)
}

// list is a heading and a list of texts, or nothing.
func (p *page) list(heading string, items []string) {
	if len(items) == 0 {
		return
	}
	p.heading(heading)
	for _, item := range items {
		fmt.Fprintf(p, "- %s\n", Escape(item))
	}
	p.WriteByte('\n')
}

// table is a table without its empty columns. Its cells are Markdown.
func (p *page) table(head []string, rows [][]string) {
	var kept []int
	for column := range head {
		for _, row := range rows {
			if row[column] != "" {
				kept = append(kept, column)
				break
			}
		}
	}
	write := func(row []string) {
		for _, column := range kept {
			fmt.Fprintf(p, "| %s ", row[column])
		}
		p.WriteString("|\n")
	}
	write(head)
	p.WriteString(strings.Repeat("|---", len(kept)) + "|\n")
	for _, row := range rows {
		write(row)
	}
	p.WriteByte('\n')
}

// Escape is text that Markdown shows as it is, in a table's cell too. What it would
// make a link of by itself (user@host, an address, #12) or a mention of, is code.
func Escape(text string) string {
	words := strings.Split(gate.OneLine(text), " ")
	for i, word := range words {
		if strings.ContainsAny(word, "@#") || strings.Contains(word, "://") || strings.Contains(word, "www.") {
			words[i] = Code(word)
		} else {
			words[i] = escapeWord(word)
		}
	}
	return strings.Join(words, " ")
}

func escapeWord(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case strings.ContainsRune("\\`*_{}[]<>|~#!", r):
			b.WriteByte('\\')
		case r == '&':
			b.WriteString("&amp;")
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Code is text as code, in a table's cell too; "" is "".
func Code(text string) string {
	text = strings.TrimSpace(gate.OneLine(text))
	if text == "" {
		return ""
	}
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if text[0] == '`' || text[len(text)-1] == '`' {
		text = " " + text + " "
	}
	return fence + strings.ReplaceAll(text, "|", `\|`) + fence
}

// link is a link to a web page; what is no such address is shown as text.
func link(text, url string) string {
	switch {
	case url == "":
		return ""
	case !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://"), strings.ContainsAny(url, " <>()[]\"|\\\n\r\t"):
		return Escape(url)
	}
	return "[" + escapeWord(gate.OneLine(text)) + "](" + url + ")"
}
