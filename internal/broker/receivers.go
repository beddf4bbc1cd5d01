package broker

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// shellRoom is what the command of a docker login may need beside the password.
const shellRoom = 1 << 10

// checkReceivers is the problem of a value where Kamal will put it: it would fail there,
// on the servers or after the build, or arrive changed.
func (j *evaluation) checkReceivers(h heldSecret) *problem.Problem {
	value := string(h.Value)
	for _, u := range j.c.Used {
		if u.Name != h.Name {
			continue
		}
		as := u.As
		if as == "" {
			as = u.Name
		}
		switch {
		case isSecretOfEnv(u.Key):
			if p := j.checkContainer(h.Name, as, value, u.Key); p != nil {
				return p
			}
		case u.Key == "builder.secrets":
			if n := len(as) + len("=") + len(value); runtime.GOOS == "linux" && n > kamal.MaxArgument {
				return tooLong(h.Name, n, kamal.MaxArgument, "no longer environment variable can be given to the docker that builds")
			}
		case u.isPassword():
			written, same := kamal.ShellValue(value)
			if n := len(written) + shellRoom; n > kamal.MaxArgument {
				return tooLong(h.Name, n, kamal.MaxArgument, "no longer argument can be given to docker login")
			}
			if !same {
				p := problem.Newf("%s, the registry's %s, has line breaks, control characters, ${…} or #{, which Kamal's docker login does not hand on as they are",
					h.Name, u.Key[strings.LastIndexByte(u.Key, '.')+1:]).About(problem.AsItIs)
				p.Hint = "take a password without them: for a key of Google's, the user _json_key_base64 and the file in base64 on one line"
				return p
			}
		}
	}
	return j.checkHook(h)
}

// checkHook is the problem of a value for the hooks of this command, which have all
// secrets in their environment, also those that nothing in the configuration uses.
func (j *evaluation) checkHook(h heldSecret) *problem.Problem {
	if len(j.c.Hooks) == 0 {
		return nil
	}
	if n := len(h.Name) + len("=") + len(h.Value); runtime.GOOS == "linux" && n > kamal.MaxArgument {
		return tooLong(h.Name, n, kamal.MaxArgument, "no longer environment variable can be given to the hook "+j.c.Hooks[0]+", which Kamal runs with every secret")
	}
	return nil
}

// exactPart is the part of the preload that hands values over as they are.
const exactPart = "handing values over as they are"

// checkContainer is the problem of a value in the environment of a container, which knows
// it by the name as.
func (j *evaluation) checkContainer(name, as, value, key string) *problem.Problem {
	exact := j.b.o.ExactValues.Of(name) && kamal.ByShell(as, value)
	switch n := kamal.EnvFileLine(as, value); {
	case !utf8.ValidString(value):
		p := problem.Newf("%s is no UTF-8, which docker gives to no container and Kamal writes into no env file", name).About(problem.AsItIs)
		p.Hint = "store it as base64 and have the app decode it"
		return p
	case exact && !kamal.ShellExports(as):
		p := problem.Newf("%s cannot arrive as it is under the name %s in %s: no shell exports a variable of that name, or it is one that shells and docker follow", name, as, key).About(problem.AsItIs)
		p.Hint = "have deploy.yml give it another name, or name with --exact-values=NAME,… those that are to arrive as they are"
		return p
	case exact:
		if n := len(as) + len("=") + len(value); n > kamal.MaxArgument {
			return tooLong(name, n, kamal.MaxArgument, "no longer environment variable can be given to the docker that runs the container of "+key)
		}
	case n > kamal.MaxEnvFileLine:
		p := tooLong(name, n, kamal.MaxEnvFileLine, "docker takes no longer line of the env file that Kamal writes for "+key)
		if n := len(as) + len("=") + len(value); n <= kamal.MaxArgument {
			p.Hint = "--exact-values takes up to " + strconv.Itoa(kamal.MaxArgument) + " bytes; or " + p.Hint
		}
		return p
	}
	return nil
}

// isSecretOfEnv reports whether a place of the configuration is a list of secrets for a
// container's environment.
func isSecretOfEnv(key string) bool { return strings.HasSuffix(key, ".secret") }

// isPassword reports whether the place is a part of a registry's login.
func (u secretUse) isPassword() bool {
	return slices.Contains([]string{"registry.password", "registry.username"}, u.Key) ||
		strings.HasPrefix(u.Key, "accessories.") && (strings.HasSuffix(u.Key, ".registry.password") || strings.HasSuffix(u.Key, ".registry.username"))
}

func tooLong(name string, has, limit int, why string) *problem.Problem {
	p := problem.Newf("%s is too long: %d bytes as Kamal writes it, at most %d are taken: %s", name, has, limit, why).About(problem.LongValue)
	p.Hint = fmt.Sprintf("keep what is long in a file of the image or a volume, and a key to it in %s", name)
	return p
}
