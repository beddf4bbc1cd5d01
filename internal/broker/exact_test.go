package broker_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/kamal"
)

// wouldRun writes, at the end of a Kamal, what it would upload to a host and run there:
// for the role web and for the accessory db.
const wouldRun = `
if File.basename($PROGRAM_NAME) == "kamal" && !ENV["KAMAL_OP_SECRET"] && ENV["WOULD_RUN"]
  at_exit do
    host = KAMAL.config.role("web").primary_host
    app, accessory = KAMAL.app(role: KAMAL.config.role("web"), host: host), KAMAL.accessory("db")
    files = { "roles/web.env" => KAMAL.config.role("web").secrets_io(host), "accessories/db.env" => accessory.secrets_io }.flat_map do |name, io|
      [ [ name, io.read ] ] + (io.respond_to?(:beside) ? [ [ name + ".exact", io.beside ] ] : [])
    end.to_h
    words = {
      "boot" => app.run, "exec" => app.execute_in_new_container("bin/x", env: {}), "the accessory" => accessory.run, "its exec" => accessory.execute_in_new_container("bin/x"),
      "interactively" => [ app.execute_in_new_container_over_ssh("bin/x", env: {}) ], "the directory" => app.ensure_env_directory, "its directory" => accessory.ensure_env_directory
    }
    File.write(ENV.fetch("WOULD_RUN"), JSON.generate({ files: files.transform_values { |text| [ text ].pack("m0") }, commands: words.transform_values { |all| all.join(" ") } }))
  end
end
`

// What Kamal would upload, by name, and run on a host.
type would struct {
	Files    map[string][]byte
	Commands map[string]string

	late time.Duration // by which the env files are newer than what lies beside them
}

func (r *run) wouldRun() (w would) {
	r.t.Helper()
	dir := r.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "would.rb"), []byte(wouldRun), 0o600); err != nil {
		r.t.Fatal(err)
	}
	for i, entry := range r.env {
		if strings.HasPrefix(entry, "RUBYOPT=") {
			r.env[i] += " -r" + filepath.Join(dir, "would.rb")
		}
	}
	r.env = append(r.env, "VERSION=v1", "WOULD_RUN="+filepath.Join(dir, "would.json"))
	stdout, stderr, status := r.command("", *realKamal, "secrets", "print")
	text, err := os.ReadFile(filepath.Join(dir, "would.json"))
	if err != nil || json.Unmarshal(text, &w) != nil {
		r.t.Fatalf("status %d, %v\n%.3000s\n%.3000s\n%v", status, err, stdout, stderr, r.Problems())
	}
	return w
}

// carryOut has a shell run a command in a home that has the files, with a docker that
// says what it is given: its arguments, and its environment.
func (w would) carryOut(t *testing.T, shell, command string) (args []string, env map[string]string) {
	t.Helper()
	home, bin := t.TempDir(), t.TempDir()
	for name, text := range w.Files {
		path := filepath.Join(home, ".kamal/apps/app/env", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(1_000_000_000, 0)
		if strings.HasSuffix(path, ".exact") {
			at = at.Add(-w.late)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	docker := "#!/bin/sh\nprintf '%s\\0' \"$@\" >args\nenv -0 >env\n"
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(docker), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), shell, "-c", command)
	cmd.Dir, cmd.Env = home, []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + home}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %.2000s", err, out)
	}
	read := func(name string) []string {
		text, err := os.ReadFile(filepath.Join(home, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
	}
	env = map[string]string{}
	for _, entry := range read("env") {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	return read("args"), env
}

// awkward are values that Kamal's env file changes or cannot hold.
var awkward = map[string]string{
	"LINES":     "-----BEGIN X-----\r\nab\n\n-----END X-----\n\n",
	"QUOTES":    "it's \"q\" 'q' \\' \\\\ \\n ${HOME} $(id) `id` !x #{y} é 🔑\t\x1b[0m\x7f",
	"FRAGMENT":  "\n# A\nexport X='\nset -- docker\n",
	"SIXTY_KIB": strings.Repeat("é\\\n'", 12<<10),
	"LONG":      strings.Repeat("x", 100<<10),
}

func exactRun(t *testing.T, exact kamal.ExactValues) *run {
	t.Helper()
	needKamal(t)
	names := append(slices.Sorted(maps.Keys(awkward)), "PLAIN")
	fields, secrets := item{"PLAIN": "p$l'a \"i\" n"}, ""
	maps.Copy(fields, awkward)
	for _, name := range names {
		secrets += name + "=$(op read op://MyApp/Production/" + name + ")\n"
	}
	config := strings.Replace(deployYML(append(names, "ALIAS:LINES")...), "servers: [192.0.2.1]", "servers: {web: {hosts: [192.0.2.1], cmd: bin/web 'a b'}}", 1) +
		"  clear: {CLEAR: \"a$b 'c'\", QUOTES: of clear}\naccessories: {db: {image: postgres, host: 192.0.2.1, env: {secret: [LINES]}}}\n"
	return start(t, map[string]string{"config/deploy.yml": config, ".kamal/secrets": secrets}, map[string]item{"Production": fields},
		func(o *broker.Options) { o.ExactValues = exact })
}

// What Kamal's env file would change reaches docker byte for byte, from whatever shell
// logs in, and no value stands in an argument of any process.
func TestKamal_HandsExactValuesToDocker(t *testing.T) {
	needKamal(t)
	t.Parallel()
	w := exactRun(t, kamal.ExactValues{All: true}).wouldRun()
	delete(w.Commands, "interactively")
	for name := range w.Files {
		for variable, value := range awkward {
			if strings.Contains(name, "roles") && strings.HasSuffix(name, ".exact") && !strings.Contains(string(w.Files[name]), "export "+variable+"='") {
				t.Errorf("%s has no %s, of %d bytes", name, variable, len(value))
			}
		}
	}
	if text := string(w.Files["roles/web.env"]); !strings.Contains(text, "PLAIN=p$l'a \"i\" n\n") || strings.Contains(text, "LONG=") || !strings.Contains(text, "ALIAS=-----BEGIN X-----\\r\\nab") {
		t.Errorf("the env file is\n%.500s", text)
	}
	for _, directory := range []string{"the directory", "its directory"} {
		if command := w.Commands[directory]; strings.Contains(command, "rm") {
			t.Errorf("%s: %s takes away what is about to be written", directory, command)
		}
		delete(w.Commands, directory)
	}
	for name, command := range w.Commands {
		for _, value := range awkward {
			if strings.Contains(command, value) {
				t.Errorf("a value stands in the command of %s", name)
			}
		}
		want := awkward
		if strings.Contains(name, "its") || strings.Contains(name, "accessory") {
			want = map[string]string{"LINES": awkward["LINES"]}
		}
		for _, shell := range []string{"dash", "bash", "fish", "tcsh"} {
			if _, err := exec.LookPath(shell); err != nil {
				continue // the servers of the end-to-end tests have all of them
			}
			clear := "CLEAR=a$b 'c'"
			if shell == "tcsh" { // it refuses the $ of a clear variable as Kamal quotes it, with or without us
				command, clear = strings.ReplaceAll(command, `\$`, ""), "CLEAR=ab 'c'"
			}
			args, env := w.carryOut(t, shell, command)
			if len(args) < 2 || args[0] != "run" {
				t.Fatalf("%s, by %s: %q", name, shell, args)
			}
			for variable, value := range want {
				at := slices.Index(args, variable)
				if at < 1 || args[at-1] != "--env" || env[variable] != value {
					t.Errorf("%s, by %s: %s has %d bytes of %d, %q", name, shell, variable, len(env[variable]), len(value), args[:8])
				}
			}
			if strings.Contains(name, "accessory") || strings.Contains(name, "its") {
				continue
			}
			// env.clear comes behind, and is what docker takes; Kamal's quoting is Kamal's.
			if at := slices.Index(args, "QUOTES=of clear"); at < slices.Index(args, "QUOTES") || !slices.Contains(args, clear) || env["ALIAS"] != awkward["LINES"] {
				t.Errorf("%s, by %s: %q", name, shell, args)
			}
			if name == "boot" && args[len(args)-1] != "a b" {
				t.Errorf("the command is %q", args[len(args)-3:])
			}
		}
	}
	// A Kamal by itself has written the env file since.
	w.late = time.Second
	if args, env := w.carryOut(t, "dash", w.Commands["exec"]); args[0] != "run" || slices.Contains(args, "LINES") || env["LINES"] != "" {
		t.Errorf("a command beside a newer env file: %q", args)
	}
	// A container that was to have the file does not run without; a command's may.
	w.Files = map[string][]byte{"roles/x": nil}
	if args, _ := w.carryOut(t, "dash", w.Commands["exec"]); args[0] != "run" {
		t.Errorf("a command without the file: %q", args)
	}
	if out, err := exec.CommandContext(t.Context(), "dash", "-c", w.Commands["boot"]).CombinedOutput(); err == nil || !strings.Contains(string(out), "web.env.exact") {
		t.Errorf("a boot without the file: %v, %s", err, out)
	}
}

// Without the option all is as Kamal has it, but that what an earlier boot has left is
// taken away; with names, only these are exact.
func TestKamal_HandsOverExactValuesOfSomeNames(t *testing.T) {
	needKamal(t)
	t.Parallel()
	r := exactRun(t, kamal.ExactValues{Names: []string{"LONG", "SIXTY_KIB", "NOT_THERE"}})
	w := r.wouldRun()
	exact := string(w.Files["roles/web.env.exact"])
	if !strings.HasPrefix(exact, "# LONG SIXTY_KIB\n") || strings.Contains(exact, "export LINES") || w.Files["accessories/db.env.exact"] != nil {
		t.Errorf("%.60q, %.60q", exact, w.Files["accessories/db.env.exact"])
	}
	if command := w.Commands["the accessory"]; !strings.HasPrefix(command, "docker run") {
		t.Errorf("an accessory without any: %s", command)
	}
	if command := w.Commands["its directory"]; command != "mkdir -p .kamal/apps/app/env/accessories && rm -f .kamal/apps/app/env/accessories/db.env.exact" {
		t.Errorf("its directory: %s", command)
	}
	if !r.told(broker.Notice, "LINES has line breaks") || !r.told(broker.Warning, "names NOT_THERE, which no list") || r.told(broker.Notice, "SIXTY_KIB") {
		t.Errorf("told %v", r.events)
	}
}
