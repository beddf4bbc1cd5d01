package sshagent

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"strings"
)

// A block is what stands between a BEGIN and an END line. Go's own reader wants
// those at the start of lines of their own, which is what pasting takes away.
type block struct {
	label   string
	headers map[string]string // of an encrypted PEM block
	body    []byte            // decoded
	repairs []string
}

var (
	beginMark = []byte("-----BEGIN ")
	endMark   = []byte("-----END ")
	dashes    = []byte("-----")
)

// blocksOf finds the blocks in a tidied text. The error is a kind; empty: none.
func blocksOf(text []byte) (blocks []block, wrong KeyErrorKind) {
	rest := text
	for {
		start := bytes.Index(rest, beginMark)
		if start < 0 {
			break
		}
		before := rest[:start]
		if bytes.Contains(before, endMark) {
			return blocks, NoFrame
		}
		rest = rest[start+len(beginMark):]
		label, after, ok := labelOf(rest)
		if !ok {
			return blocks, Damaged
		}
		end := bytes.Index(after, endMark)
		if end < 0 {
			return append(blocks, block{label: label}), CutOff
		}
		content := after[:end]
		if bytes.Contains(content, beginMark) {
			return append(blocks, block{label: label}), CutOff
		}
		endLabel, tail, ok := labelOf(after[end+len(endMark):])
		if !ok || endLabel != label {
			return append(blocks, block{label: label}), Damaged
		}
		b := block{label: label}
		b.repairs = layoutOf(text, before, content, tail)
		if wrong := b.read(content); wrong != "" {
			return append(blocks, b), wrong
		}
		blocks = append(blocks, b)
		rest = tail
	}
	if bytes.Contains(rest, endMark) {
		return blocks, NoFrame
	}
	return blocks, ""
}

// labelOf reads a label up to its five dashes.
func labelOf(b []byte) (label string, rest []byte, ok bool) {
	i := bytes.Index(b, dashes)
	if i <= 0 || i > 60 {
		return "", nil, false
	}
	for _, c := range b[:i] {
		if c != ' ' && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return "", nil, false
		}
	}
	return string(b[:i]), b[i+len(dashes):], true
}

// layoutOf says what was wrong with the layout of a block.
func layoutOf(text, before, content, tail []byte) (repairs []string) {
	lineStart := before[bytes.LastIndexByte(before, '\n')+1:]
	switch {
	case bytes.IndexByte(bytes.TrimSpace(content), '\n') < 0 && len(bytes.TrimSpace(content)) > 80:
		repairs = append(repairs, repairOneLine)
	case len(lineStart) > 0 && len(bytes.TrimSpace(lineStart)) == 0,
		bytes.Contains(content, []byte("\n ")), bytes.Contains(content, []byte("\n\t")):
		repairs = append(repairs, repairIndent)
	}
	if len(tail) == 0 && len(text) > 0 {
		repairs = append(repairs, repairLastLine)
	}
	return repairs
}

// read decodes what is between the lines: the two headers of an encrypted PEM
// block, if it has them, and base64.
func (b *block) read(content []byte) KeyErrorKind {
	if strings.HasPrefix(b.label, "PGP ") {
		return "" // has headers of other kinds, and a checksum
	}
	if i := bytes.Index(content, []byte("DEK-Info:")); i >= 0 {
		fields := bytes.Fields(content[i+len("DEK-Info:"):])
		if len(fields) < 2 || len(fields[0]) > 60 {
			return Damaged
		}
		b.headers = map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": string(fields[0])}
		rest := content[i+len("DEK-Info:"):]
		content = rest[bytes.Index(rest, fields[0])+len(fields[0]):]
	}
	packed := withoutBlanks(content)
	defer clear(packed)
	b.body = make([]byte, len(packed)) // DecodedLen is too short for text that lost its padding
	n, err := base64.StdEncoding.Decode(b.body, packed)
	b.body = b.body[:n]
	switch {
	case err != nil:
		return Damaged
	case n == 0:
		return CutOff
	}
	return ""
}

// encode is the block as Go's reader takes it.
func (b *block) encode() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: b.label, Headers: b.headers, Bytes: b.body})
}

// private says that the block is called a private key.
func (b *block) private() bool { return strings.HasSuffix(b.label, "PRIVATE KEY") }
