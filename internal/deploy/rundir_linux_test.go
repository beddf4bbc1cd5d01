package deploy

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A container's /dev/shm has 64 MB, and others fill it.
func TestRunDir_MemoryThatIsFullIsLeftForTheNextPlace(t *testing.T) {
	full, temp := t.TempDir(), t.TempDir()
	if err := unix.Mount("tmpfs", full, "tmpfs", 0, "size=64k,mode=0700"); err != nil {
		t.Skip("this user may not mount: ", err)
	}
	defer func() {
		if err := unix.Unmount(full, 0); err != nil {
			t.Error(err)
		}
	}()
	if dir, err := makeRunDir(place{full, true}); err == nil {
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
