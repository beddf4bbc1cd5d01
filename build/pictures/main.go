// Command pictures makes pages of what a run has shown: the summary and the comment as
// GitHub shows them, near enough to be looked at, and the terminal as an SVG. A browser
// takes the pictures of the pages: see build/pictures.sh.
//
//	pictures page light|dark <summary.md >page.html
//	pictures terminal <terminal.txt >terminal.svg
package main

import (
	"fmt"
	"html"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
)

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = run(os.Args[1:], string(text), os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

func run(args []string, text string, out io.Writer) (err error) {
	switch {
	case len(args) == 2 && args[0] == "page":
		_, err = fmt.Fprintf(out, "<!doctype html><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><style>%s</style><body class=%s><article>%s</article>", style, args[1], markdown(text))
	case len(args) == 1 && args[0] == "terminal":
		_, err = io.WriteString(out, terminal(text))
	default:
		err = fmt.Errorf("page light|dark, or terminal")
	}
	return err
}

// style is near to GitHub's.
const style = `
body{margin:0;font:14px/1.5 "Liberation Sans",Arial,sans-serif;background:#fff;color:#1f2328}
article{padding:24px;max-width:980px}
h2{font-size:21px;border-bottom:1px solid #d1d9e0;padding-bottom:6px;margin:0 0 12px}h3{font-size:17px;margin:18px 0 10px}
code,pre{font:12px/1.45 "DejaVu Sans Mono",monospace;background:#818b981f;border-radius:6px}code{padding:2px 5px}pre{padding:14px;overflow:auto}
table{border-collapse:collapse;display:block;overflow:auto;margin:0 0 12px}td,th{border:1px solid #d1d9e0;padding:6px 13px;text-align:left}tr:nth-child(2n){background:#f6f8fa}
a{color:#0969da}.bar{fill:#54aeff}.crit{fill:#cf222e}svg text{font:12px "Liberation Sans",Arial;fill:currentColor}
body.dark{background:#0d1117;color:#f0f6fc}.dark h2,.dark td,.dark th{border-color:#3d444d}.dark tr:nth-child(2n){background:#151b23}.dark a{color:#4493f8}.dark .bar{fill:#1f6feb}`

var inline = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile("`([^`]+)`"), "<code>$1</code>"},
	{regexp.MustCompile(`\*\*(.+?)\*\*`), "<b>$1</b>"},
	{regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)`), `<a href="$2">$1</a>`},
	{regexp.MustCompile(`(^|\s)(https?://[^\s<]+)`), `$1<a href="$2">$2</a>`},
	{regexp.MustCompile(`\\([\\*_\x60|\[\]()#.!-])`), "$1"},
}

func words(text string) string {
	text = html.EscapeString(text)
	for _, rule := range inline {
		text = rule.pattern.ReplaceAllString(text, rule.with)
	}
	return text
}

// markdown is what of Markdown the summary and the comment have.
func markdown(text string) string {
	var b strings.Builder
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		switch {
		case strings.TrimSpace(line) == "", strings.HasPrefix(line, "<!--"):
		case strings.HasPrefix(line, "### "):
			b.WriteString("<h3>" + words(line[4:]) + "</h3>\n")
		case strings.HasPrefix(line, "## "):
			b.WriteString("<h2>" + words(line[3:]) + "</h2>\n")
		case strings.HasPrefix(line, "```"):
			end := i + 1
			for end < len(lines) && !strings.HasPrefix(lines[end], strings.TrimRight(line, "abcdefghijklmnopqrstuvwxyz")) {
				end++
			}
			code := strings.Join(lines[i+1:min(end, len(lines))], "\n")
			if strings.HasSuffix(line, "mermaid") {
				b.WriteString(chart(code))
			} else {
				b.WriteString("<pre>" + html.EscapeString(code) + "</pre>\n")
			}
			i = end
		case strings.HasPrefix(line, "|"):
			b.WriteString("<table>")
			for cell := "th"; i < len(lines) && strings.HasPrefix(lines[i], "|"); i++ {
				if strings.Trim(lines[i], "|-: ") == "" {
					cell = "td"
					continue
				}
				b.WriteString("<tr>")
				for _, c := range strings.Split(strings.Trim(strings.TrimSpace(lines[i]), "|"), "|") {
					b.WriteString("<" + cell + ">" + words(strings.TrimSpace(c)) + "</" + cell + ">")
				}
				b.WriteString("</tr>")
			}
			b.WriteString("</table>\n")
			i--
		case strings.HasPrefix(line, "- "):
			b.WriteString("<ul>")
			for ; i < len(lines) && strings.HasPrefix(lines[i], "- "); i++ {
				b.WriteString("<li>" + words(lines[i][2:]) + "</li>")
			}
			b.WriteString("</ul>\n")
			i--
		default:
			b.WriteString("<p>" + words(line) + "</p>\n")
		}
	}
	return b.String()
}

var task = regexp.MustCompile(`^\s+(.*) :(done|crit), p\d+, (\d+), (\d+)$`)

// chart is a Mermaid chart of phases as bars.
func chart(code string) string {
	type bar struct {
		name, kind string
		from, to   float64
	}
	var bars []bar
	for line := range strings.Lines(code) {
		if m := task.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			from, _ := strconv.ParseFloat(m[3], 64) // digits
			to, _ := strconv.ParseFloat(m[4], 64)
			bars = append(bars, bar{m[1], m[2], from, to})
		}
	}
	if len(bars) == 0 {
		return ""
	}
	begun, end := bars[0].from, bars[0].to
	for _, p := range bars {
		end = max(end, p.to)
	}
	const wide, high, names = 900.0, 22, 190.0
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %v %d" width="100%%">`, wide, high*len(bars)+6)
	for i, p := range bars {
		x := names + (p.from-begun)/(end-begun)*(wide-names)
		kind := "bar"
		if p.kind == "crit" {
			kind = "crit"
		}
		fmt.Fprintf(&b, `<text x="0" y="%d">%s</text><rect class="%s" x="%.1f" y="%d" width="%.1f" height="14" rx="3"/>`,
			i*high+15, html.EscapeString(p.name), kind, x, i*high+4, max((p.to-p.from)/(end-begun)*(wide-names), 2))
	}
	return b.String() + "</svg>\n"
}

// kamals are lines of Kamal's own: a picture shows what a run says around them.
var kamals = regexp.MustCompile(`^\s+(INFO|DEBUG|Finished all)`)

// drawn are status lines, of which each was drawn over the one before, and colours.
var drawn = regexp.MustCompile("\x1b\\[[0-9;]*[mK]")

// terminal is a terminal's text as an SVG.
func terminal(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(line, "\r")
		if i := strings.LastIndex(line, "\r"); i >= 0 { // what was drawn before is gone
			line = line[i+1:]
		}
		line = drawn.ReplaceAllString(line, "")
		if strings.TrimSpace(line) != "" && !kamals.MatchString(line) && !strings.HasPrefix(line, "…") {
			lines = append(lines, line)
		}
	}
	const size, advance = 13, 7.83
	widest := 0
	for _, line := range lines {
		widest = max(widest, len([]rune(line)))
	}
	widest = min(widest, 118)
	var b strings.Builder
	w, h := float64(widest)*advance+32, len(lines)*18+28
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" width="%.0f" height="%d"><rect width="100%%" height="100%%" rx="8" fill="#161b22"/><g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="%d" fill="#c9d1d9">`, w, h, w, h, size)
	b.WriteString("\n")
	for i, line := range lines {
		if runes := []rune(line); len(runes) > widest {
			line = string(runes[:widest-1]) + "…"
		}
		fill := ""
		switch {
		case strings.HasPrefix(line, "✓"):
			fill = ` fill="#3fb950"`
		case strings.HasPrefix(line, "=="):
			fill = ` fill="#56d4dd"`
		case strings.HasPrefix(line, "•"), strings.HasPrefix(line, "!"):
			fill = ` fill="#d29922"`
		}
		fmt.Fprintf(&b, `<text x="16" y="%d" xml:space="preserve"%s>%s</text>`+"\n", i*18+26, fill, html.EscapeString(line))
	}
	return b.String() + "</g></svg>\n"
}
