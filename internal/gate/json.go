package gate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// JSON is JSON with every string in it masked, names of members too, before it is
// encoded anew; and without what a reader of the bytes could obey: ##[ and its kind,
// and characters that turn the direction of text. What is no JSON is masked as text.
func (g *Gate) JSON(doc []byte) []byte {
	return g.strings(doc, g.Text)
}

// strings masks the strings of JSON.
func (g *Gate) strings(doc []byte, masked func(string) string) []byte {
	return g.members(doc, func(_, text string) string { return masked(text) })
}

// members masks the strings of JSON by the name of the member that they are the value
// of, "" for names and for what is in a list.
func (g *Gate) members(doc []byte, masked func(member, text string) string) []byte {
	out := make([]byte, 0, len(doc)+16)
	last, member := "", ""
	for i := 0; i < len(doc); {
		c := doc[i]
		if c != '"' {
			switch c {
			case ':':
				member = last
			case ',', '{', '}', '[', ']':
				member = ""
			}
			out = append(out, c)
			i++
			continue
		}
		end := i + 1
		for end < len(doc) && doc[end] != '"' {
			if doc[end] == '\\' {
				end++
			}
			end++
		}
		var text string
		if end >= len(doc) || json.Unmarshal(doc[i:end+1], &text) != nil {
			return []byte(g.own(lines(g.Text(string(doc)))))
		}
		last = text
		out = append(out, quoted(masked(member, text))...)
		i = end + 1
	}
	return out
}

// quoted is a string as JSON.
func quoted(text string) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string can be encoded, and a Buffer takes everything
	line := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	line = bytes.ReplaceAll(line, []byte("##"), []byte(`#\u0023`))
	if !bytes.ContainsFunc(line, obeyed) {
		return line
	}
	out := make([]byte, 0, len(line)+16)
	for len(line) > 0 {
		r, n := utf8.DecodeRune(line)
		if obeyed(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = append(out, line[:n]...)
		}
		line = line[n:]
	}
	return out
}
