package mask

import (
	"encoding/base64"
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// pemBlock is a key or a certificate, on however many lines.
var pemBlock = lazy.Regexp(`(?s)-----BEGIN ([A-Z0-9 ]{1,40})-----(.*?)-----END [A-Z0-9 ]{1,40}-----`)

// pemEnds takes out the line ends of a block, also those written as \n, and what
// indents its lines.
var pemEnds = strings.NewReplacer(`\r`, "", `\n`, "", "\r", "", "\n", "", " ", "", "\t", "")

// addKey takes the lines of the keys in text as programs write them that have read
// them, at the widths of OpenSSL, OpenSSH and MIME: whoever repairs a key that is on
// one line, or writes it anew, makes these of it.
func (f *forms) addKey(text string) {
	for _, m := range pemBlock().FindAllStringSubmatch(text, -1) {
		body := pemEnds.Replace(m[2])
		if _, err := base64.StdEncoding.DecodeString(body); err != nil {
			continue // it has headers: its lines are as they are
		}
		f.add("-----BEGIN " + m[1] + "-----")
		f.add("-----END " + m[1] + "-----")
		f.add(body)
		for _, width := range [...]int{64, 70, 76} {
			for rest := body; rest != ""; rest = rest[min(width, len(rest)):] {
				f.add(rest[:min(width, len(rest))])
			}
		}
	}
}
