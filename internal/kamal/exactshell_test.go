package kamal_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// loginShells are shells that a user of a server may have, each with what makes it run a
// line as sshd does.
var loginShells = [][]string{
	{"sh", "-c"}, {"dash", "-c"}, {"bash", "-c"}, {"busybox", "sh", "-c"}, {"ksh", "-c"}, {"mksh", "-c"}, {"zsh", "-c"}, {"fish", "-c"}, {"tcsh", "-c"}, {"csh", "-c"},
}

// Whichever shell logs in, and whichever is /bin/sh there, docker is started with the
// values that the file beside the env file has, byte for byte, and without them in its
// arguments. The line is Kamal's own but for its beginning, which is tried here.
func TestExactValues_WorkInEveryShell(t *testing.T) {
	ruby, err := os.ReadFile(filepath.Join("preload", "exact.rb"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	value := "it's \\ a\\\\b\t\"q\" 'q' ${HOME} $(id) `id` !x é \xff\r\n\n"
	write("docker", "#!/bin/sh\nfor word; do printf '<%s>' \"$word\"; done\nprintf '%s|' \"$A\"\n")
	write("f.exact", "# A\nshift 2\nset -- docker run --env A \"$@\"\nexport A='"+strings.ReplaceAll(value, "'", `'\''`)+"'\n")
	for name, want := range map[string]string{
		"READ":          "<run><--env><A><--name><app><two words>" + value + "|",
		"READ_IF_THERE": "<run><--env><A><--name><app><two words>" + value + "|",
		"not there":     "<run><--name><app><two words>|",
	} {
		constant, file := name, filepath.Join(dir, "f.exact")
		if name == "not there" {
			constant, file = "READ_IF_THERE", filepath.Join(dir, "g.exact")
		}
		m := regexp.MustCompile(`(?m)^    ` + constant + ` = %q\((.*)\)$`).FindSubmatch(ruby)
		if m == nil {
			t.Fatalf("exact.rb has no %s", constant)
		}
		for _, shell := range loginShells {
			path, err := exec.LookPath(shell[0])
			if err != nil {
				if shell[0] == "sh" {
					t.Fatal(err)
				}
				continue
			}
			for _, inner := range []string{"sh", "dash", "bash", "busybox sh", "ksh", "mksh", "zsh --emulate sh"} {
				if _, err := exec.LookPath(strings.Fields(inner)[0]); err != nil {
					continue
				}
				t.Run(fmt.Sprint(name, " ", shell[0], " ", inner), func(t *testing.T) {
					line := fmt.Sprintf(`%s -c %s %s docker run --name app "two words"`, inner, m[1], file)
					cmd := exec.CommandContext(t.Context(), path, append(append([]string(nil), shell[1:]...), line)...)
					cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir}
					out, err := cmd.Output()
					if err != nil || string(out) != want {
						t.Errorf("%v\n%q\nwant\n%q", err, out, want)
					}
				})
			}
		}
	}
}
