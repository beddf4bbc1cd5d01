package reference

import (
	"fmt"
	"strings"
)

// Man is the manual page kamal-op(1), with end below its options.
func Man(g Grammar, end string) string {
	var b strings.Builder
	b.WriteString(".TH KAMAL-OP 1\n.SH NAME\nkamal-op \\- deploy with Kamal, with secrets from 1Password\n")
	b.WriteString(".SH SYNOPSIS\n.B kamal-op\n.I COMMAND\n[flags]\n.SH DESCRIPTION\n" + roff(g.Description) + "\n.SH COMMANDS\n")
	for _, c := range g.Commands {
		if !c.Group {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(strings.TrimSuffix(usage(c), " [flags]")), roff(c.Help))
		}
	}
	deploy := g.command("deploy")
	b.WriteString(".SH OPTIONS\nOf every command:\n")
	manOptions(&b, g.Global)
	b.WriteString(".SS Of a deploy, and of most commands\n")
	manOptions(&b, deploy.Options)
	for _, c := range g.Commands {
		var own []Option
		for _, o := range c.Options {
			if d, ok := deploy.option(o.Name); !ok || !same(d, o) || d.Help != o.Help {
				own = append(own, o)
			}
		}
		if len(own) > 0 && !c.Group {
			fmt.Fprintf(&b, ".SS Of kamal\\-op %s\n", roff(c.Name))
			manOptions(&b, own)
		}
	}
	b.WriteString(".SH ENVIRONMENT AND EXIT STATUS\n.nf\n" + roff(strings.TrimSpace(end)) + "\n.fi\n")
	return b.String()
}

func manOptions(b *strings.Builder, options []Option) {
	for _, o := range options {
		flag := o.flag()
		if o.Short != "" {
			flag = "-" + o.Short + ", " + flag
		}
		text := o.Help
		if len(o.Enum) > 0 {
			text += " One of " + o.values() + "."
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(flag), roff(text))
	}
}

// roff is a text that says itself in a manual page.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
