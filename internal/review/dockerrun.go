package review

import (
	"errors"
	"slices"
	"strings"
)

// A dockerRun is what a `docker run` is told before the container's own command.
type dockerRun struct {
	options []dockerOption
	image   string
	awaited string // the image that there should be: no value of an option that is not known
}

// A dockerOption is one option as it was given, by its long name. value is "true"
// for a switch.
type dockerOption struct {
	name, value string
	loose       bool // the host's shell puts something in, outside of quotes
}

// String is the option as somebody would write it.
func (o dockerOption) String() string {
	return strings.TrimSpace("--" + o.name + " " + o.shown())
}

// shown is the value, but for that of a switch.
func (o dockerOption) shown() string {
	if o.value == "true" && slices.Contains(dockerSwitches, o.name) {
		return ""
	}
	return o.value
}

// Switches of docker run: they have no value, but for --SWITCH=false.
var dockerSwitches = []string{
	"detach", "disable-content-trust", "help", "init", "interactive", "no-healthcheck", "oom-kill-disable", "privileged",
	"publish-all", "quiet", "read-only", "rm", "sig-proxy", "tty", "use-api-socket",
}

// Letters of docker run, and old names that it goes on taking.
var dockerNames = map[string]string{
	"a": "attach", "c": "cpu-shares", "d": "detach", "e": "env", "h": "hostname", "i": "interactive", "l": "label",
	"m": "memory", "P": "publish-all", "p": "publish", "q": "quiet", "t": "tty", "u": "user", "v": "volume", "w": "workdir",
	"net": "network", "net-alias": "network-alias", "dns-opt": "dns-option",
}

// parseDockerRun reads a line that Kamal hands to a host's shell, as the shell and
// docker do. What is not one `docker run` is an error. image is the one that is
// awaited, where that is known.
func parseDockerRun(line, image string) (dockerRun, error) {
	words, err := shellWords(strings.TrimRight(line, " \t\r\n")) // a `cmd: |` ends with a line feed
	if err != nil {
		return dockerRun{}, err
	}
	if len(words) < 2 || words[0].text != "docker" || words[1].text != "run" {
		return dockerRun{}, errors.New("another command than docker run")
	}
	run := dockerRun{awaited: image}
	rest := words[2:]
	for len(rest) > 0 {
		w := rest[0]
		rest = rest[1:]
		switch {
		case w.text == "--" && len(rest) > 0:
			run.image = rest[0].text
			return run, nil
		case w.loose && !strings.HasPrefix(w.text, "-"):
			return run, errors.New("a word that the host's shell makes up")
		case strings.HasPrefix(w.text, "--"):
			name, value, given := strings.Cut(w.text[2:], "=")
			rest = run.take(dockerName(name), value, given, w, rest)
		case len(w.text) > 1 && w.text[0] == '-':
			rest = run.letters(w, rest)
		default:
			run.image = w.text
			return run, nil
		}
	}
	return run, errors.New("a docker run without an image")
}

// letters reads a word such as -it or -v/a:/b.
func (r *dockerRun) letters(w word, rest []word) []word {
	for letters := w.text[1:]; letters != ""; {
		name := dockerName(letters[:1])
		letters = letters[1:]
		if value, given := strings.CutPrefix(letters, "="); given {
			return r.take(name, value, true, w, rest)
		}
		if !slices.Contains(dockerSwitches, name) {
			return r.take(name, letters, letters != "", w, rest)
		}
		r.take(name, "", false, w, nil)
	}
	return rest
}

// hasValue says whether an option is one of those that have a value.
func hasValue(name string) bool {
	_, own := ownOptions[name]
	return own || slices.Contains(harmless, name)
}

func dockerName(name string) string {
	if long, ok := dockerNames[name]; ok {
		return long
	}
	return name
}

// take adds an option, with its value from the next word where it was not given one.
func (r *dockerRun) take(name, value string, given bool, w word, rest []word) []word {
	o := dockerOption{name: name, value: value, loose: w.loose}
	switch {
	case given:
	case slices.Contains(dockerSwitches, name):
		o.value = "true"
	case len(rest) == 0 || rest[0].text == r.awaited && !hasValue(name):
	default:
		o.value, o.loose = rest[0].text, w.loose || rest[0].loose
		rest = rest[1:]
	}
	r.options = append(r.options, o)
	return rest
}
