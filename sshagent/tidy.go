package sshagent

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// What a text was repaired by, as Key.Repairs says it.
const (
	repairUTF16    = "it was UTF-16 text"
	repairBOM      = "it began with a byte order mark"
	repairBlanks   = "it had blanks of other kinds than the space"
	repairEscapes  = `its line ends were written as \n`
	repairQuotes   = "it was in quotes"
	repairCRLF     = "its line ends were CRLF"
	repairCR       = "its line ends were CR"
	repairIndent   = "its lines were indented"
	repairOneLine  = "it was on one line"
	repairLastLine = "its last line had no end"
	repairBase64   = "it was the base64 of the file"
)

// tidy undoes what pasting does to a text: encodings, quotes, written line ends.
// The result is always a copy, of the caller's to clear.
func tidy(text []byte) (tidied []byte, repairs []string) {
	out := bytes.Clone(text)
	replace := func(next []byte, repair string) {
		clear(out)
		out = next
		repairs = append(repairs, repair)
	}
	if plain, ok := fromUTF16(out); ok {
		replace(plain, repairUTF16)
	}
	if rest, ok := bytes.CutPrefix(out, []byte("\ufeff")); ok {
		replace(bytes.Clone(rest), repairBOM)
	}
	if plain, changed := plainBlanks(out); changed {
		replace(plain, repairBlanks)
	}
	if inner, ok := unquoted(out); ok {
		replace(bytes.Clone(inner), repairQuotes)
	}
	if bytes.Contains(out, []byte(`\n`)) {
		plain := bytes.ReplaceAll(out, []byte(`\r\n`), []byte(`\n`))
		replace(bytes.ReplaceAll(plain, []byte(`\n`), []byte("\n")), repairEscapes)
		clear(plain)
	}
	if bytes.Contains(out, []byte("\r\n")) {
		replace(bytes.ReplaceAll(out, []byte("\r\n"), []byte("\n")), repairCRLF)
	}
	if bytes.IndexByte(out, '\r') >= 0 {
		replace(bytes.ReplaceAll(out, []byte("\r"), []byte("\n")), repairCR)
	}
	return out, repairs
}

// fromUTF16 decodes what Windows' tools write: UTF-16 with a byte order mark.
func fromUTF16(b []byte) ([]byte, bool) {
	if len(b) < 4 || len(b)%2 != 0 {
		return nil, false
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case b[0] == 0xff && b[1] == 0xfe:
	case b[0] == 0xfe && b[1] == 0xff:
		order = binary.BigEndian
	default:
		return nil, false
	}
	units := make([]uint16, 0, len(b)/2)
	for i := 2; i < len(b); i += 2 {
		units = append(units, order.Uint16(b[i:]))
	}
	runes := utf16.Decode(units)
	defer clear(runes)
	defer clear(units)
	out := make([]byte, 0, len(runes))
	for _, r := range runes {
		out = utf8.AppendRune(out, r)
	}
	return out, true
}

// plainBlanks makes spaces of no-break and other wide spaces, and drops those of
// no width.
func plainBlanks(b []byte) ([]byte, bool) {
	changed := false
	for i := 0; i < len(b) && !changed; {
		r, n := utf8.DecodeRune(b[i:])
		changed = r != utf8.RuneError && otherBlank(r) != 0
		i += n
	}
	if !changed {
		return nil, false
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		switch otherBlank(r) {
		case 0:
			out = append(out, b[i:i+n]...)
		case 1:
			out = append(out, ' ')
		}
		i += n
	}
	return out, true
}

// otherBlank is 1 for a blank that is no space, 2 for one of no width, else 0.
func otherBlank(r rune) int {
	switch {
	case r == 0xa0, r == 0x1680, r >= 0x2000 && r <= 0x200a, r == 0x202f, r == 0x205f, r == 0x3000:
		return 1
	case r >= 0x200b && r <= 0x200d, r == 0x2060, r == 0xfeff:
		return 2
	}
	return 0
}

// unquoted takes one pair of quotes from around a text.
func unquoted(b []byte) ([]byte, bool) {
	t := bytes.TrimSpace(b)
	if len(t) < 2 || t[0] != t[len(t)-1] || (t[0] != '"' && t[0] != '\'' && t[0] != '`') {
		return nil, false
	}
	return t[1 : len(t)-1], true
}

// unwrapped decodes a text that is the base64 of a file that holds a key.
func unwrapped(text []byte) ([]byte, bool) {
	packed := withoutBlanks(text)
	defer clear(packed)
	out := make([]byte, len(packed))
	n, err := base64.RawStdEncoding.Decode(out, bytes.TrimRight(packed, "="))
	if err != nil || !bytes.Contains(out[:n], []byte("-----BEGIN ")) {
		clear(out)
		return nil, false
	}
	return out[:n], true
}

func withoutBlanks(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\v' && c != '\f' {
			out = append(out, c)
		}
	}
	return out
}
