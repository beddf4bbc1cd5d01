package onepassword

import (
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type noCache struct{}

func (noCache) Get([32]byte) (io.ReadCloser, bool, error) { return nil, false, nil }
func (noCache) Add([32]byte, io.Reader) error             { return nil }
func (noCache) Delete([32]byte) error                     { return nil }

// TestCacheGuard fails where wazero is not what corecache.go was written for: read
// that file, look at wazero's config.go and cache.go, and change the constant.
func TestCacheGuard(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mod), wazeroModule+" "+wazeroVersion+"\n") {
		t.Errorf("go.mod does not have %s at %s", wazeroModule, wazeroVersion)
	}
	ran := false
	if err := withCache(noCache{}, func() error { ran = true; return nil }); err != nil || !ran {
		t.Errorf("the guard holds the cache back: %v", err)
	}
	// The defaults are as they were.
	if err := withCache(noCache{}, func() error { return nil }); err != nil {
		t.Error(err)
	}
}

// TestCacheGuard_Panic: whatever happens in wazero, the core is compiled after.
func TestCacheGuard_Panic(t *testing.T) {
	if err := withCache(noCache{}, func() error { panic("in wazero") }); err == nil || !strings.Contains(err.Error(), "in wazero") {
		t.Errorf("%v", err)
	}
	if err := withCache(noCache{}, func() error { return nil }); err != nil {
		t.Errorf("the defaults were not put back: %v", err)
	}
}

// TestOpenPrivate: only what nobody else can change is taken.
func TestOpenPrivate(t *testing.T) {
	dir := func(mode os.FileMode) string {
		d := filepath.Join(t.TempDir(), "core")
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(d, mode); err != nil {
			t.Fatal(err)
		}
		return d
	}
	openParent := dir(0o700)
	if err := os.Chmod(filepath.Dir(openParent), 0o777); err != nil {
		t.Fatal(err)
	}
	sticky := dir(0o700)
	if err := os.Chmod(filepath.Dir(sticky), 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(openParent, link); err != nil {
		t.Fatal(err)
	}
	others := dir(0o700)
	if os.Geteuid() == 0 {
		if err := os.Chown(others, 4321, 4321); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		dir       string
		read, own bool // may be read from; may be warmed
	}{
		"private":             {dir(0o700), true, true},
		"read-only":           {dir(0o500), true, true},
		"readable":            {dir(0o755), true, false},
		"open to all":         {dir(0o777), false, false},
		"open to the group":   {dir(0o770), false, false},
		"open parent":         {openParent, false, false},
		"sticky parent":       {sticky, true, true},
		"link to open parent": {link, false, false},
		"not there":           {filepath.Join(sticky, "none"), false, false},
		"a file":              {os.Args[0], false, false},
		"another user's":      {others, os.Geteuid() != 0, os.Geteuid() != 0},
	} {
		for own, want := range map[bool]bool{false: test.read, true: test.own} {
			root, err := openPrivate(test.dir, own)
			if (err == nil) != want {
				t.Errorf("%s, own %v: %v", name, own, err)
			}
			if err == nil {
				if err := root.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// TestCacheReader: an entry that others may change, a link out of the directory and
// a directory are no entries.
func TestCacheReader(t *testing.T) {
	dir := t.TempDir()
	name := func(n byte) string { return entryName([32]byte{n}) }
	write := func(n byte, mode os.FileMode) {
		path := filepath.Join(dir, name(n))
		if err := os.WriteFile(path, []byte("entry"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	write(1, 0o600)
	write(2, 0o444)
	write(3, 0o666)
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("entry"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, name(4))); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, name(5)), 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for n := byte(1); n <= 6; n++ {
		c := &cacheReader{roots: []*os.Root{root}, keep: &coreSaver{}}
		content, ok, err := c.Get([32]byte{n})
		if err != nil || ok != (n <= 2) || (c.hit() == dir) != ok {
			t.Errorf("entry %d: %v, %v, from %q", n, ok, err, c.hit())
		}
		if ok {
			// wazero takes a short read for the end.
			got := make([]byte, 4)
			if n, err := content.Read(got); n != 4 || err != nil {
				t.Errorf("read %d bytes, %v", n, err)
			}
			if err := content.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestCoreSource fails where the SDK has another name for its core: nothing breaks
// then, but a run takes 10 MB more.
func TestCoreSource(t *testing.T) {
	if !strings.HasPrefix(string(sdkCore), "\x00asm") {
		t.Fatalf("%d bytes, which are no WebAssembly", len(sdkCore))
	}
	before := sha256.Sum256(sdkCore)
	letGoOfSource()
	if sha256.Sum256(sdkCore) != before {
		t.Error("it is not what it was")
	}
	pageOut(nil)
	pageOut(make([]byte, 100))
}
