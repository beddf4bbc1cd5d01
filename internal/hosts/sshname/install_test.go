package sshname

import (
	"os"
	"path/filepath"
	"testing"
)

// A script that looks whether rsync is there is told the truth.
func TestInstall_MakesNoNameForWhatIsNotThere(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "rsync"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		want bool
	}{
		"there":        {"/nowhere:" + bin, true},
		"not there":    {"/nowhere", isProgram("/usr/bin/rsync") || isProgram("/bin/rsync")},
		"not asked of": {"", true},
	} {
		dir := t.TempDir()
		if err := Install(dir, "/program", Settings{Pinned: true, Path: c.path}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(filepath.Join(dir, "rsync")); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
		for _, always := range []string{"ssh", "scp", "sftp"} {
			if _, err := os.Lstat(filepath.Join(dir, always)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
