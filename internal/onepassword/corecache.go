package onepassword

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"unsafe"

	sdk "github.com/1password/onepassword-sdk-go"
	"github.com/tetratelabs/wazero"

	"github.com/kamal-op/kamal-op/internal/owner"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// The SDK compiles its core with wazero's default configuration, into which it
// lets nobody reach. wazero itself can keep compiled code in files, and takes its
// defaults from one variable: a cache that is put there while the core is loaded
// serves it, and nothing of the SDK is touched.
//
// This file knows three names of wazero: the variable engineLessConfig, the field
// cache of what it points to, and the field fileCache of a cache. It was written
// for the version below. Under another version, and wherever a name or a type is
// not what it was, it steps aside and the core is compiled as ever; a test fails
// then, so that the names are looked at anew.
const (
	wazeroModule  = "github.com/tetratelabs/wazero"
	wazeroVersion = "v1.12.0"
)

//go:linkname wazeroDefaults github.com/tetratelabs/wazero.engineLessConfig
var wazeroDefaults unsafe.Pointer

// errGuard is why the cache cannot be used with this build.
var errGuard = errors.New("wazero is not what the cache was written for")

// fileCache is what wazero asks for compiled code, by a key that holds the module,
// the features of the processor and the engine.
type fileCache interface {
	Get(key [32]byte) (io.ReadCloser, bool, error)
	Add(key [32]byte, content io.Reader) error
	Delete(key [32]byte) error
}

// withCache runs f while wazero's default configuration has the cache.
func withCache(c fileCache, f func() error) (err error) {
	if err := builtWith(wazeroModule, wazeroVersion); err != nil {
		return err
	}
	cache := wazero.NewCompilationCache()
	inner := reflect.ValueOf(cache)
	if inner.Kind() != reflect.Pointer || inner.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("%w: a cache is no pointer to a struct", errGuard)
	}
	files := inner.Elem().FieldByName("fileCache")
	if !files.IsValid() || files.Kind() != reflect.Interface || !reflect.TypeOf(c).Implements(files.Type()) {
		return fmt.Errorf("%w: a cache has no field fileCache of that interface", errGuard)
	}
	filesAt := reflect.NewAt(files.Type(), unsafe.Pointer(files.UnsafeAddr())) //nolint:gosec // the guard of this file
	filesAt.Elem().Set(reflect.ValueOf(c))

	config := reflect.TypeOf(wazero.NewRuntimeConfig())
	if config.Kind() != reflect.Pointer || config.Elem().Kind() != reflect.Struct || wazeroDefaults == nil {
		return fmt.Errorf("%w: there is no engineLessConfig", errGuard)
	}
	field, ok := config.Elem().FieldByName("cache")
	if !ok || field.Type != reflect.TypeFor[wazero.CompilationCache]() {
		return fmt.Errorf("%w: a configuration has no field cache", errGuard)
	}
	slot := (*wazero.CompilationCache)(unsafe.Add(wazeroDefaults, field.Offset))
	if *slot != nil {
		return fmt.Errorf("%w: its defaults have a cache already", errGuard)
	}
	*slot = cache
	defer func() {
		*slot = nil
		if p := recover(); p != nil {
			err = fmt.Errorf("loading the core from the cache: %v", p)
		}
	}()
	// Did it arrive where configurations are made from?
	made := reflect.ValueOf(wazero.NewRuntimeConfig()).Elem().FieldByIndex(field.Index)
	if made.IsNil() || made.Elem().Pointer() != inner.Pointer() {
		return fmt.Errorf("%w: its defaults are not where configurations are made from", errGuard)
	}
	return f()
}

// builtWith reports whether the program was built with this version of a module.
func builtWith(module, version string) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return fmt.Errorf("%w: its version is not known", errGuard)
	}
	if len(info.Deps) == 0 && strings.HasSuffix(info.Path, ".test") {
		// A test's binary does not say; there a test reads it in go.mod.
		return nil
	}
	for _, dep := range info.Deps {
		if dep.Path == module {
			if dep.Version == version && dep.Replace == nil {
				return nil
			}
			return fmt.Errorf("%w: it is %s", errGuard, dep.Version)
		}
	}
	return fmt.Errorf("%w: its version is not known", errGuard)
}

// errNothing is that a cache has no entry for this build on this machine.
var errNothing = errors.New("it holds nothing that this version can use on this machine")

// loadWarm loads the SDK's core out of the first of the directories that has it,
// the user's own last, and says which. Where none has it, the core may be loaded
// after all, compiled, and is kept in the user's own, or not at all: the next call of
// the SDK compiles it then, and why is why.
func loadWarm(dirs []string, keep *coreSaver) (from string, why error) {
	if len(dirs) == 0 && keep.dir == "" {
		return "", nil
	}
	reader := &cacheReader{keep: keep}
	var refused []error
	for _, dir := range dirs {
		root, err := openPrivate(dir, false)
		if err != nil {
			refused = append(refused, err)
			continue
		}
		defer root.Close() //nolint:errcheck // it was only read
		reader.roots = append(reader.roots, root)
	}
	if keep.dir != "" {
		// One that is not there, or is refused, serves nothing.
		if root, err := openPrivate(keep.dir, true); err == nil {
			defer root.Close() //nolint:errcheck // it was only read
			reader.roots = append(reader.roots, root)
		}
	}
	if len(reader.roots) == 0 && keep.dir == "" {
		return "", errors.Join(refused...)
	}
	err := withCache(reader, touchCore)
	if err != nil && !errors.Is(err, errGuard) && keep.dir != "" {
		// An entry is spoiled: the core is compiled, and what is kept takes its place.
		reader.forget()
		err = errors.Join(err, withCache(reader, touchCore))
	}
	if err != nil {
		return "", err
	}
	if from = reader.hit(); from == "" {
		return "", errNothing
	}
	return from, nil
}

// CheckCache says what is wrong with a directory that is to have the core compiled:
// it is not there, it can be changed by others, or it is empty. Whether what lies in
// it is of this version and machine shows when the core is loaded. The error is a
// *problem.Problem.
func CheckCache(dir string) error {
	const warm = "kamal-op cache warm makes it: chmod 700, yours or root's, in a directory that others cannot change"
	root, err := openPrivate(dir, false)
	if err != nil {
		return &problem.Problem{Message: err.Error(), Hint: warm, Status: problem.Usage, Cause: err, Help: problem.CoreCache}
	}
	defer root.Close() //nolint:errcheck // it was only read
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return &problem.Problem{Message: err.Error(), Hint: warm, Status: problem.Usage, Cause: err, Help: problem.CoreCache}
	}
	if !slices.ContainsFunc(entries, isEntry) {
		return problem.Usagef("kamal-op cache warm "+dir+" fills it", "%s has no compiled core in it", dir).About(problem.CoreCache)
	}
	return nil
}

func touchCore() error {
	return sdk.Secrets.ValidateSecretReference(context.Background(), "op://vault/item/field")
}

// cacheReader serves compiled code, and has what none of its directories had kept.
type cacheReader struct {
	roots []*os.Root
	keep  *coreSaver

	mu     sync.Mutex
	from   string
	missed bool
}

// hit is the directory that all code came from, "" where some had to be compiled.
func (c *cacheReader) hit() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.missed {
		return ""
	}
	return c.from
}

// forget has it serve nothing any more.
func (c *cacheReader) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roots, c.missed = nil, true
}

func (c *cacheReader) Get(key [32]byte) (io.ReadCloser, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, root := range c.roots {
		if f, err := root.Open(entryName(key)); err == nil {
			info, err := f.Stat()
			if err == nil && info.Mode().IsRegular() && owner.Private(info) {
				c.from = root.Name()
				c.keep.use(entryName(key))
				// It was decoded before its compiled form is asked for, and
				// what follows is the most memory that a run ever has.
				letGoOfSource()
				return &entryReader{f: f, buf: bufio.NewReaderSize(f, 64<<10)}, true, nil
			}
			_ = f.Close() // it was only looked at
		}
	}
	c.missed = true
	return nil, false, nil
}

// Add is called with a reader of memory that is nobody else's.
func (c *cacheReader) Add(key [32]byte, content io.Reader) error {
	c.keep.add(entryName(key), content)
	return nil
}

func (c *cacheReader) Delete([32]byte) error {
	// The entry is of another wazero, and what is loaded is compiled.
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missed = true
	return nil
}

// entryReader gives as many bytes as are asked for: wazero takes a short read of a
// number for the end. It asks for hundreds of thousands, so they are buffered.
type entryReader struct {
	f   *os.File
	buf *bufio.Reader
}

func (e *entryReader) Read(p []byte) (int, error) {
	n, err := io.ReadFull(e.buf, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return n, err
}

func (e *entryReader) Close() error { return e.f.Close() }

// cacheWriter stores compiled code and serves none.
type cacheWriter struct {
	root *os.Root

	mu      sync.Mutex
	written map[string]int64
}

func (c *cacheWriter) Get([32]byte) (io.ReadCloser, bool, error) { return nil, false, nil }

func (c *cacheWriter) Delete([32]byte) error { return nil }

func (c *cacheWriter) Add(key [32]byte, content io.Reader) error {
	name := entryName(key)
	part := name + partSuffix
	f, err := c.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = c.root.Rename(part, name)
	}
	if err != nil {
		return errors.Join(err, c.root.Remove(part))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written[name] = n
	return nil
}

// openPrivate opens a directory that nobody but its owner can change, who is root
// or this user: what lies there is run in a process that holds secrets. With own
// it must be this user's and closed to all others.
func openPrivate(dir string, own bool) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err == nil {
		err = changeable(dir, info)
	}
	if err == nil && own && (info.Mode().Perm()&0o077 != 0 || !owner.Own(info)) {
		err = fmt.Errorf("%s is not this user's alone: its mode is %04o", dir, info.Mode().Perm())
	}
	if err == nil {
		err = replaceable(dir)
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// replaceable is why another user could put another directory in the place of this
// one, nil where none could.
func replaceable(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	return owner.Replaceable(filepath.Dir(dir))
}

// changeable is why another user could change a file, nil where none can.
func changeable(name string, info fs.FileInfo) error {
	switch {
	case owner.Private(info):
		return nil
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s can be changed by others: its mode is %04o", name, info.Mode().Perm())
	}
	return fmt.Errorf("%s belongs to another user, who can change it", name)
}

// partSuffix ends the name of an entry that is being written.
const partSuffix = ".part"

// entryName is the file of an entry. wazero's key is of the module and of the features
// of the processor, as bits; a directory may also serve machines of several kinds and
// programs with several versions of wazero.
func entryName(key [32]byte) string {
	name := sha256.Sum256(append(key[:], runtime.GOOS+"/"+runtime.GOARCH+" "+wazeroVersion...))
	return hex.EncodeToString(name[:])
}

// isEntry reports whether a name is one that is given here.
func isEntry(entry fs.DirEntry) bool {
	name := entry.Name()
	if strings.HasSuffix(name, partSuffix) {
		name, _, _ = strings.Cut(name, ".")
	}
	_, err := hex.DecodeString(name)
	return err == nil && len(name) == 64 && entry.Type().IsRegular()
}
