package broker

import (
	"context"
	"regexp"
	"strings"
	"sync"

	"github.com/kamal-op/kamal-op/internal/broker/opclient"
	"github.com/kamal-op/kamal-op/internal/problem"
)

var (
	// reference is one in a template: between braces, where it may hold anything
	// but them, or bare, where it ends before a character that no simple
	// reference has. Variables may stand in either.
	reference = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\{\{\s*(op://(?:[^{}]|\$\{[^{}]*\})*?)\s*\}\}|op://(?:\$\{[^{}]*\}|[A-Za-z0-9\-?_./=$])+`)
	})
	// shellVariable is $NAME, ${NAME} or ${NAME:-default}.
	shellVariable = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\})`)
	})
)

// inject puts values in the place of references in a template.
func (b *Broker) inject(ctx context.Context, template string, env []string) (*opclient.Reply, error) {
	var out strings.Builder
	var problems problem.List
	end := 0
	for _, m := range reference().FindAllStringSubmatchIndex(template, -1) {
		out.WriteString(template[end:m[0]])
		end = m[1]
		var text, after string
		switch {
		case m[2] >= 0:
			text = template[m[2]:m[3]]
		case m[0] > 0 && continuesWord(template[m[0]-1]):
			out.WriteString(template[m[0]:m[1]])
			continue
		default:
			text = strings.TrimRight(template[m[0]:m[1]], ".") // the end of a sentence
			after = template[m[0]+len(text) : m[1]]
		}
		value, err := b.lookup(ctx, expandVariables(text, env))
		if err != nil {
			problems = append(problems, problem.Of(err)...)
			continue
		}
		out.WriteString(value.Reveal() + after)
	}
	out.WriteString(template[end:])
	if len(problems) > 0 {
		return nil, joinProblems(problems)
	}
	return textReply(out.String()), nil
}

// joinProblems makes one problem of several, the first before the others.
func joinProblems(problems problem.List) *problem.Problem {
	p := *problems[0]
	for _, other := range problems[1:] {
		p.Details = append(p.Details, "also: "+other.Message)
	}
	return &p
}

// continuesWord reports whether a character before op:// makes it part of a longer word.
func continuesWord(c byte) bool {
	return c == '-' || c == '+' || c == '\\' || c == '.' ||
		'0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// expandVariables puts variables of the caller's environment into a reference.
func expandVariables(text string, env []string) string {
	return shellVariable().ReplaceAllStringFunc(text, func(v string) string {
		m := shellVariable().FindStringSubmatch(v)
		for i := len(env) - 1; i >= 0; i-- {
			if value, ok := strings.CutPrefix(env[i], m[1]+m[2]+"="); ok && value != "" {
				return value
			}
		}
		return m[3]
	})
}

// run resolves the references in the environment of a command that is to be run.
func (b *Broker) run(ctx context.Context, c commandLine, env []string) (*opclient.Reply, error) {
	if !c.dash || len(c.rest) == 0 || len(c.words) > 0 {
		return nil, problem.Usagef("op run -- COMMAND", "op run takes its command after --")
	}
	reply := &opclient.Reply{Exec: c.rest}
	var problems problem.List
	for _, entry := range env {
		name, text, ok := strings.Cut(entry, "=")
		if !ok || !strings.HasPrefix(text, "op://") {
			continue
		}
		value, err := b.lookup(ctx, expandVariables(text, env))
		if err == nil && strings.ContainsRune(value.Reveal(), 0) {
			err = problem.New("the value has a NUL byte, which no environment variable can hold", "store it as base64").About(problem.AsItIs)
		}
		if err != nil {
			for _, p := range problem.Of(err) {
				told := *p
				told.Message = name + ": " + p.Message
				problems = append(problems, &told)
			}
			continue
		}
		reply.Set = append(reply.Set, name+"="+value.Reveal())
	}
	if len(problems) > 0 {
		return nil, joinProblems(problems)
	}
	return reply, nil
}
