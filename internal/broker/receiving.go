package broker

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// shellRoom is what the command of a docker login may need beside the password.
const shellRoom = 1 << 10

// receives is what is wrong with a value for where Kamal will put it: it would fail
// there, on the servers or after the build, or arrive as another.
func (j *judge) receives(h held) *problem.Problem {
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
			if n := kamal.EnvFileLine(as, value); n > kamal.MaxEnvFileLine {
				return tooLong(h.Name, n, kamal.MaxEnvFileLine, "docker takes no longer line of the env file that Kamal writes for "+u.Key)
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
					h.Name, u.Key[strings.LastIndexByte(u.Key, '.')+1:])
				p.Hint = "take a password without them: for a key of Google's, the user _json_key_base64 and the file in base64 on one line"
				return p
			}
		}
	}
	if n := len(h.Name) + len("=") + len(value); runtime.GOOS == "linux" && n > kamal.MaxArgument && len(j.c.Hooks) > 0 {
		return tooLong(h.Name, n, kamal.MaxArgument, "no longer environment variable can be given to the hook "+j.c.Hooks[0]+", which Kamal runs with every secret")
	}
	return nil
}

// isSecretOfEnv says whether a place of the configuration is a list of secrets for a
// container's environment.
func isSecretOfEnv(key string) bool { return strings.HasSuffix(key, ".secret") }

// isPassword says whether the place is a part of a registry's login.
func (u used) isPassword() bool {
	return slices.Contains([]string{"registry.password", "registry.username"}, u.Key) ||
		strings.HasPrefix(u.Key, "accessories.") && (strings.HasSuffix(u.Key, ".registry.password") || strings.HasSuffix(u.Key, ".registry.username"))
}

func tooLong(name string, has, limit int, why string) *problem.Problem {
	p := problem.Newf("%s is too long: %d bytes as Kamal writes it, at most %d are taken: %s", name, has, limit, why).About(problem.LongValue)
	p.Hint = fmt.Sprintf("keep what is long in a file of the image or a volume, and a key to it in %s", name)
	return p
}
