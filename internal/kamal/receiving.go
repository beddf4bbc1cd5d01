package kamal

import "strings"

// What the receiving side takes, measured with docker 28 and Linux 6: a longer line
// of an env file is an error of docker's on the server, a longer argument or
// NAME=value entry one of execve(2).
const (
	MaxEnvFileLine = 64<<10 - 1
	MaxArgument    = 128<<10 - 1
)

// EnvFileLine is how long the line of a secret gets in the env file that Kamal
// writes, without its end.
func EnvFileLine(name, value string) int { return len(name) + len("=") + len(EnvFileValue(value)) }

// ShellValue is how Kamal writes a value into a command (Kamal::Utils), and whether a
// shell makes the same value of it again. Ruby's String#dump is no shell's quoting:
// line breaks and control characters arrive as two or more characters, a # before
// {, $ or @ with a backslash; and ${…} is left for the shell to fill in.
func ShellValue(value string) (written string, same bool) {
	var b strings.Builder
	same = true
	for part, ascii := range asciiParts(value) {
		if !ascii {
			b.WriteString(part)
			continue
		}
		dumped := dump(part)
		plain := strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(part)
		same = same && dumped == plain
		dumped = strings.ReplaceAll(dumped, "`", "\\`")
		b.WriteByte('"')
		for i := range len(dumped) {
			if dumped[i] == '$' {
				if rest := dumped[i+1:]; strings.HasPrefix(rest, "{") && strings.Contains(rest, "}") {
					same = false
				} else {
					b.WriteByte('\\')
				}
			}
			b.WriteByte(dumped[i])
		}
		b.WriteByte('"')
	}
	return b.String(), same
}
