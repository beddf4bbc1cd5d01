package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRunDir_IsPrivateAndGoes(t *testing.T) {
	dir, err := newRunDir(map[string]string{"TMPDIR": t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir.path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("its mode is %o", info.Mode().Perm())
	}
	if strings.ContainsAny(dir.path, " \t") || len(dir.path) > 80 {
		t.Errorf("its path %q cannot stand in RUBYOPT or hold a socket", dir.path)
	}
	sub, err := dir.sub("docker")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(sub, "config.json"), []byte("{}"), 0o400); err != nil {
		t.Fatal(err)
	}
	if err := dir.remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir.path); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestSweep_TakesWhatDeadRunsLeftAndNothingElse(t *testing.T) {
	temp := t.TempDir()
	later := time.Now().Add(time.Hour)

	folder := func(name string) string {
		path := filepath.Join(temp, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	dead := folder(runDirPrefix + "dead")
	other := folder("somebody-elses")
	// The places in memory, if this machine has some, are shared with other runs
	// and tests: only temp is looked at here.
	alive := folder(runDirPrefix + "alive")
	lock, err := lockDir(alive)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()

	if sweepOne(dead, time.Now()) {
		t.Error("a directory that was made just now was taken for one that was left")
	}
	if n := sweepPlace(temp, later); n != 1 {
		t.Errorf("%d directories were swept, not 1", n)
	}
	for path, want := range map[string]bool{dead: false, other: true, alive: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: there is %v, want %v", filepath.Base(path), err == nil, want)
		}
	}
}
