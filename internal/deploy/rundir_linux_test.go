package deploy

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// A container's /dev/shm has 64 MB, and others fill it.
func TestRunDir_LeavesFullMemoryForTheNextPlace(t *testing.T) {
	full, temp := t.TempDir(), t.TempDir()
	if err := unix.Mount("tmpfs", full, "tmpfs", 0, "size=64k,mode=0700"); err != nil {
		t.Skip("this user may not mount: ", err)
	}
	defer func() {
		if err := unix.Unmount(full, 0); err != nil {
			t.Error(err)
		}
	}()
	if dir, err := makeRunDir(full); err == nil {
		t.Errorf("%s is taken", dir.path)
		_ = dir.remove()
	}
	if entries, err := os.ReadDir(full); err != nil || len(entries) != 0 {
		t.Errorf("the place that was full keeps %v, %v", entries, err)
	}
	// The whole way: what follows in the order takes it.
	dir, err := newRunDir(map[string]string{"XDG_RUNTIME_DIR": full, "TMPDIR": temp})
	if err != nil {
		t.Fatal(err)
	}
	if len(dir.path) >= len(full) && dir.path[:len(full)] == full {
		t.Errorf("it is %s", dir.path)
	}
	if err := dir.remove(); err != nil {
		t.Error(err)
	}
}

// A socket's address has 108 bytes, and RUBYOPT no spaces: a place with a longer path, or
// one of several words, is none, whatever else speaks for it.
func TestRunDirPlaces_OnlyThoseWhosePathFits(t *testing.T) {
	memory, err := os.MkdirTemp("/dev/shm", "kamal-op-test-")
	if err != nil || !inMemory("/dev/shm") {
		t.Skip("there is no memory to make directories in: ", err)
	}
	defer func() { _ = os.RemoveAll(memory) }()
	of := func(length int, end string) string {
		return memory + "/" + strings.Repeat("x", length-len(memory)-1-len(end)) + end
	}
	temp := func(length int) string { return "/" + strings.Repeat("t", length-1) }
	for _, test := range []struct {
		runtime, temp string
		want          []string
	}{
		{"", "", nil},
		{of(47, ""), temp(63), []string{of(47, ""), temp(63)}},
		{of(48, ""), temp(64), nil},
		{of(40, " x"), "/a b", nil},
		{of(40, "\tx"), "/a\nb", nil},
		{"/proc", "", nil}, // no memory
		{memory + "/gone", "", nil},
	} {
		if strings.HasPrefix(test.runtime, memory+"/x") {
			if err := os.MkdirAll(test.runtime, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		var places []string
		for _, p := range runDirPlaces(map[string]string{"XDG_RUNTIME_DIR": test.runtime, "TMPDIR": test.temp}) {
			if p != "/dev/shm" {
				places = append(places, p)
			}
		}
		if diff := cmp.Diff(append(test.want, "/tmp"), places); diff != "" {
			t.Errorf("%q, %q: %s", test.runtime, test.temp, diff)
		}
	}
}
