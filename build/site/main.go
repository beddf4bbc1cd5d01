// Command site makes the documentation into a tree that MkDocs reads, and checks what
// MkDocs made of it.
//
//	site TREE             writes the pages of README.md, docs/ and ci/ into TREE
//	site -check SITE      follows every link of the pages in SITE
//
// The pages stay as GitHub shows them: links out of them lead to the repository.
package main

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// repository is where a link leads whose file is not part of the site.
const repository = "https://github.com/kamal-op/kamal-op/blob/main/"

func main() {
	check := flag.Bool("check", false, "check the links of a site")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: site [-check] DIRECTORY")
		os.Exit(2)
	}
	run := write
	if *check {
		run = follow
	}
	if err := run(os.DirFS("."), flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
}

// places are the files of the site: by their path in the repository, the path in the
// tree.
func places(root fs.FS) (map[string]string, error) {
	all := map[string]string{
		"README.md": "index.md", "SECURITY.md": "security.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md",
	}
	err := fs.WalkDir(root, "docs", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			all[name] = strings.TrimPrefix(name, "docs/")
		}
		return err
	})
	return all, err
}

// write fills the tree.
func write(root fs.FS, tree string) error {
	all, err := places(root)
	if err != nil {
		return err
	}
	for name, place := range all {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		if path.Ext(name) == ".md" {
			text = []byte(indent(relink(string(text), name, all)))
		}
		to := filepath.Join(tree, filepath.FromSlash(place))
		if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

var (
	blocks = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	links  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
)

// relink is the page name with its links as they are in the tree. What stands in a
// block of code is no link.
func relink(text, name string, all map[string]string) string {
	var b strings.Builder
	end := 0
	change := func(s string) {
		b.WriteString(links.ReplaceAllStringFunc(s, func(link string) string {
			return "](" + target(links.FindStringSubmatch(link)[1], name, all) + ")"
		}))
	}
	for _, block := range blocks.FindAllStringIndex(text, -1) {
		change(text[end:block[0]])
		b.WriteString(text[block[0]:block[1]])
		end = block[1]
	}
	change(text[end:])
	return b.String()
}

// target is a link of the page name, as it is in the tree.
func target(link, name string, all map[string]string) string {
	file, anchor, anchored := strings.Cut(link, "#")
	if file == "" || strings.Contains(link, ":") {
		return link
	}
	if anchored {
		anchor = "#" + anchor
	}
	file = path.Join(path.Dir(name), file)
	if place, ok := all[file]; ok {
		up := strings.Repeat("../", strings.Count(all[name], "/"))
		return up + place + anchor
	}
	return repository + file + anchor
}

var (
	marker = regexp.MustCompile(`^(?:\d+\.|[-*]) +`)
	fence  = regexp.MustCompile("^ *```")
)

// indent sets what belongs to an item of a list four characters in, and a blank line
// before a list: Python's Markdown asks for both, GitHub for neither.
func indent(text string) string {
	var (
		lines = strings.Split(text, "\n")
		out   []string
		more  = -1 // that lines of the item are indented; -1 where there is no item
		code  bool
	)
	for n, line := range lines {
		item := marker.FindString(line)
		switch {
		case code && more < 0, line == "":
		case item != "" && !code:
			if more < 0 && n > 0 && lines[n-1] != "" {
				out = append(out, "")
			}
			more = max(0, 4-len(item))
		case more >= 0 && strings.HasPrefix(line, "  "):
			line = strings.Repeat(" ", more) + line
		default:
			more = -1
		}
		if fence.MatchString(line) {
			code = !code
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

var (
	references = regexp.MustCompile(`<a [^>]*href="([^"]+)"`)
	named      = regexp.MustCompile(` id="([^"]+)"`)
)

// follow follows the links of a site's pages to its own pages and their headings.
func follow(_ fs.FS, site string) error {
	root := os.DirFS(site)
	pages := map[string]string{}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".html" || name == "404.html" {
			return err
		}
		text, err := fs.ReadFile(root, name)
		pages[name] = string(text)
		return err
	})
	if err != nil {
		return err
	}
	var broken []string
	for name, text := range pages {
		for _, m := range references.FindAllStringSubmatch(text, -1) {
			if why := leads(root, pages, name, m[1]); why != "" {
				broken = append(broken, fmt.Sprintf("%s leads to %s: %s", name, m[1], why))
			}
		}
	}
	if len(pages) == 0 || len(broken) > 0 {
		return fmt.Errorf("%d pages, %d broken links\n%s", len(pages), len(broken), strings.Join(broken, "\n"))
	}
	fmt.Println(len(pages), "pages, every link leads somewhere")
	return nil
}

// leads says why a link of a page leads nowhere; "" where it does.
func leads(root fs.FS, pages map[string]string, name, link string) string {
	file, anchor, _ := strings.Cut(link, "#")
	if strings.Contains(link, ":") {
		return ""
	}
	to := name
	if file != "" {
		to = path.Join(path.Dir(name), file)
	}
	if strings.HasSuffix(file, "/") || file == "." || file == ".." {
		to = path.Join(to, "index.html")
	}
	info, err := fs.Stat(root, to)
	if err != nil || info.IsDir() {
		return "there is no such page"
	}
	if anchor == "" {
		return ""
	}
	for _, m := range named.FindAllStringSubmatch(pages[to], -1) {
		if m[1] == anchor {
			return ""
		}
	}
	return "the page has no such heading"
}
