package deploy

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
	parent, _, err := openPlace(temp)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = parent.Close() }()

	folder := func(name string, mode os.FileMode, files map[string]string) {
		if err := parent.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
		for file, text := range files {
			if err := parent.WriteFile(filepath.Join(name, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := parent.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	ours := map[string]string{marker: markerText, "left": "x"}
	folder(runDirPrefix+"dead", 0o700, ours)
	folder(runDirPrefix+"logs", 0o700, map[string]string{"notes.txt": "a person's own"})
	folder(runDirPrefix+"empty", 0o700, nil)
	folder(runDirPrefix+"marked-otherwise", 0o700, map[string]string{marker: strings.ToUpper(markerText)})
	folder(runDirPrefix+"marked-longer", 0o700, map[string]string{marker: markerText + "\n"})
	folder(runDirPrefix+"open-to-others", 0o755, ours)
	folder("somebody-elses", 0o700, ours)
	folder(runDirPrefix+"marked-by-a-link", 0o700, nil)
	if err := parent.Symlink("../"+runDirPrefix+"dead/"+marker, runDirPrefix+"marked-by-a-link/"+marker); err != nil {
		t.Fatal(err)
	}
	if err := parent.Symlink("somebody-elses", runDirPrefix+"link"); err != nil {
		t.Fatal(err)
	}
	// The places in memory, if this machine has some, are shared with other runs
	// and tests: only temp is looked at here.
	alive, err := makeRunDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	kept := []string{
		filepath.Base(alive.path), runDirPrefix + "empty", runDirPrefix + "link", runDirPrefix + "logs", runDirPrefix + "marked-by-a-link",
		runDirPrefix + "marked-longer", runDirPrefix + "marked-otherwise", runDirPrefix + "open-to-others", "somebody-elses",
	}
	if os.Geteuid() == 0 {
		folder(runDirPrefix+"another-users", 0o700, ours)
		folder(runDirPrefix+"marked-by-another", 0o700, ours)
		for _, name := range []string{"another-users", "marked-by-another/" + marker} {
			if err := parent.Lchown(runDirPrefix+name, 12345, 12345); err != nil {
				t.Fatal(err)
			}
		}
		kept = append(kept, runDirPrefix+"another-users", runDirPrefix+"marked-by-another")
	}

	if n := sweepPlace(temp, time.Now()); n != 0 {
		t.Errorf("%d directories that were made just now were taken for ones that were left", n)
	}
	if n := sweepPlace(temp, later); n != 1 {
		t.Errorf("%d directories were swept, not 1", n)
	}
	var there []string
	entries, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		there = append(there, entry.Name())
	}
	slices.Sort(kept)
	if diff := cmp.Diff(kept, there); diff != "" {
		t.Error(diff)
	}
	if err := alive.remove(); err != nil {
		t.Error(err)
	}
}

// shortDir is a directory in memory whose path leaves room for a socket's, so that it is
// passed over for nothing else; elsewhere than on Linux any.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "r")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestRunDir_AvoidsPlacesAnotherUserCanChange(t *testing.T) {
	temp := shortDir(t)
	dir := func(name string, mode os.FileMode, owner int) string {
		path := filepath.Join(temp, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if owner >= 0 {
			if err := os.Chown(path, owner, -1); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	refused := []string{
		dir("open", 0o777, -1), dir("open/own", 0o700, -1), dir("group", 0o770, -1), dir("group/own", 0o700, -1),
		filepath.Join(temp, "not-there"),
	}
	taken := []string{dir("own", 0o700, -1), dir("readable", 0o755, -1), dir("sticky", 0o777|os.ModeSticky, -1), dir("sticky/own", 0o700, -1)}
	if os.Geteuid() == 0 { // su without -, sudo -E: XDG_RUNTIME_DIR is still the other's
		refused = append(refused, dir("others", 0o700, 12345), dir("others/roots", 0o700, -1))
	}
	link := filepath.Join(temp, "link")
	if err := os.Symlink(taken[0], link); err != nil {
		t.Fatal(err)
	}
	for _, path := range append(taken, link) {
		root, resolved, err := openPlace(path)
		if err != nil {
			t.Errorf("%s is refused: %v", path, err)
			continue
		}
		if path == link && resolved == link {
			t.Error("the path leads along a link")
		}
		_ = root.Close()
	}
	for _, path := range refused {
		root, _, err := openPlace(path)
		if err == nil {
			t.Errorf("%s is taken", path)
			_ = root.Close()
		}
		made, err := newRunDir(map[string]string{"XDG_RUNTIME_DIR": path, "TMPDIR": path})
		if err != nil {
			t.Error(err)
			continue
		}
		if strings.HasPrefix(made.path, path) {
			t.Errorf("the directory is %s", made.path)
		}
		if err := made.remove(); err != nil {
			t.Error(err)
		}
	}
}

// A directory is opened, and another is put in its place.
func TestRunDir_RefusesAReplacedPlace(t *testing.T) {
	temp := t.TempDir()
	path := filepath.Join(temp, "place")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	root, resolved, err := openPlace(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	if err := errors.Join(os.Rename(path, path+"-moved"), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := checkOwners(root, resolved); err == nil {
		t.Error("a directory that is not the one that was opened is taken")
	}
}
