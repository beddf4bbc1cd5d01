// Package mask keeps secret values out of output. A [Masker] knows the values; its
// Writers are streams that pass on what is written to them with every value, in
// every form it is known to take, replaced by ***. It is for programs that run
// other programs and show what they print: a CI step, a deployment, a wrapper.
//
//	m := mask.New()
//	m.AddSecret(mask.NewSecret("DB_PASSWORD", password))
//	stdout := m.Writer(os.Stdout)
//	defer stdout.Close()
//	cmd.Stdout = stdout
//
// # What is masked
//
// Every occurrence of every value, also of values that overlap, touch, or begin
// within one another; what overlaps or touches becomes one token. The output does
// not depend on how the text was cut into Writes. Everything else is passed on
// byte for byte. A value is found
//
//   - as it is, and without the white space around it;
//   - line by line, each line without the white space around it, so also with
//     other line ends, indented, with something in front of each line (a
//     timestamp, BuildKit's step), or with the line ends stripped or made spaces;
//   - as base64, at each of the three places it can have in what is encoded (so
//     also in user:password), in both alphabets, padded or not, and broken at the
//     usual widths when it is encoded alone; as the base64 of any of these; as base32;
//   - as hexadecimal; percent-encoded, as a dozen encoders do it, with + for a space
//     or not, or each byte of it;
//   - in JSON, also in JSON within JSON; in XML and HTML;
//   - quoted or escaped for shells (single, double, backslash, $'…', shellescape,
//     xtrace, export -p, PowerShell), for Go, Ruby, Python, JavaScript, PHP, C, YAML,
//     MySQL and Postgres, and as Kamal writes it on command lines and into env files
//     for docker;
//   - folded at spaces into lines, as YAML and Python's pprint do with long values;
//   - as what programs make of it that undo an encoding, up to four one in the other:
//     \n and other escapes (echo, printf, gsub), base64, JSON (each string in it), a
//     pair of quotes, the password of a URL, of user:password or of PASSWORD=… in it, as
//     written and percent-decoded. These inner values are masked like a value;
//   - if a private key or a certificate is in it: the lines of that as OpenSSL, OpenSSH
//     and MIME break them, wherever its own line ends are;
//   - with escape sequences (colours, erasing, links, titles) or overstriking
//     between its characters. The sequences stay, behind the token: a colour that
//     ends within a value still ends.
//
// The option [Encodings] turns off all encoded forms.
//
// # What is not masked
//
//   - A value of which one part is in one stream and the rest in another, or that
//     Flush has cut.
//   - A value that was changed in a way that is not above: hashed, encrypted,
//     compressed, reversed, encoded twice in other ways, in other letters, an image of
//     it, or printed a character a line.
//   - A part of a value; and the last line, if it has fewer than 12 characters, of a
//     value's base64 that is broken into lines (16 of base32, and of base64 of base64), and any line of fewer than 24 of a
//     value that is folded; and base64 that is broken into lines and has something else
//     in front.
//   - An inner value of fewer than 8 bytes (6 if it has letters and digits), or that is
//     a common word, a number or the name of a host; what stands under names in JSON
//     such as type, project_id, username and host; and what comes behind the first 256
//     inner values of a value, or 1 MiB of them; what comes behind 64 KiB of them is
//     masked as it is only. Skipped tells how many are not masked, but not of what only
//     may be one, such as a word that happens to be base64. In base32 and in base64 of
//     base64 an inner value is not found.
//   - Up to 4 bits at either end of a value in base64 that share a character with
//     what is next to the value.
//   - A character struck over with another one and a backspace: whether it was meant
//     is known only after it has been let out. Sequences over 64 bytes (CSI) or
//     4096 (others), and values spread over more than 4096 bytes and eight times
//     the longest pattern.
//   - Values, and lines of values, shorter than [MinLength]. They would be found
//     everywhere. [Masker.Skipped] tells which.
//   - What was written before the value was added.
//
// A program that wants its secrets out can always do so. This package is against
// accidents: dumps, traces, verbose logs, an echo too many.
//
// # What it costs
//
// A Write looks at every tenth byte or so, whatever the number of values, and does
// not allocate. What holds no value is passed on without a copy. See bench/README.md
// for measurements beside others.
//
// Add does work for each form of a value, and the next Write builds the tables
// anew: add what you know before you write. In the search a value shorter than 8
// bytes costs more than a hundred long ones.
//
// # Held back
//
// A stream holds back the end of what was written only if it is the beginning of a
// value (or form): at most one byte less than the longest, and escape sequences
// between. So a prompt shows at once, unless it ends as a value begins; there is no
// timer. Flush and Close let out the rest.
//
// # Workflow commands
//
// [Commands] is a writer for the other half: it keeps what a child prints from being
// obeyed by the CI system that reads the log. It belongs behind the Masker:
//
//	out := mask.NewCommands(os.Stdout)
//	stdout := m.Writer(out)
package mask
