package onepassword

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// fileValue is what the reference asks of a file.
func (r *Resolver) fileValue(ctx context.Context, item *Item, f *File, ref Reference) (string, error) {
	switch {
	case ref.SSHFormat != "":
		return "", problem.Newf("ssh-format is only for the private key of an SSH Key item, and %s is a file", quote(f.Name)).About(problem.Reference)
	case ref.Attribute == "name" || ref.Attribute == "title":
		return f.Name, nil
	case ref.Attribute == "id":
		return f.ID, nil
	case ref.Attribute == "size":
		return strconv.FormatInt(f.Size, 10), nil
	case ref.Attribute == "type":
		return "FILE", nil
	case wantsContent(ref):
		content, err := r.readFile(ctx, item, f)
		return string(content), err
	}
	return "", problem.Newf("the attribute %s is one of fields, and %s is a file", ref.Attribute, quote(f.Name)).About(problem.Reference)
}

func (r *Resolver) readFile(ctx context.Context, item *Item, f *File) ([]byte, error) {
	r.mu.RLock()
	o := r.files[itemFile{item, f}.key()]
	r.mu.RUnlock()
	if o != nil {
		return o.content, o.err
	}
	err := r.hold(ctx, func(batch context.Context) error {
		o = r.fetchFile(batch, itemFile{item, f})
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	return o.content, o.err
}

// fetchFile gets a file from the backend, once in the resolver's life. The backend is
// held.
func (r *Resolver) fetchFile(ctx context.Context, f itemFile) *fileOutcome {
	r.mu.RLock()
	o := r.files[f.key()]
	r.mu.RUnlock()
	if o != nil {
		return o
	}
	o = &fileOutcome{}
	o.content, o.err = r.backend.ReadFile(ctx, f.item, *f.file)
	r.note(o.err)
	if !errors.Is(ctx.Err(), context.Canceled) {
		r.mu.Lock()
		r.files[f.key()] = o
		r.mu.Unlock()
	}
	return o
}

// prefetchFiles gets the files that are declared side by side: one after another
// they would take a round trip each. What fails is reported to whoever asks for it.
func (r *Resolver) prefetchFiles(ctx context.Context, declared []Declaration) error {
	files := map[[3]string]itemFile{}
	for _, d := range declared {
		if d.Environment != "" || d.Name == "" {
			continue
		}
		item, err := r.itemOf(ctx, d.Ref, d.Name)
		if err != nil {
			continue
		}
		if c, err := item.choose(d.Ref); err == nil && c.file != nil && d.Ref.SSHFormat == "" && wantsContent(d.Ref) {
			f := itemFile{item, c.file}
			files[f.key()] = f
		}
	}
	if len(files) < 2 {
		return nil
	}
	err := r.hold(ctx, func(batch context.Context) error {
		var wg sync.WaitGroup
		for _, f := range files {
			wg.Go(func() { r.fetchFile(batch, f) })
		}
		wg.Wait()
		return ctx.Err()
	})
	if reasonOf(err) != 0 {
		return nil // an outage, which each of them is told of
	}
	return err
}

// wantsContent reports whether a reference to a file means what is in it.
func wantsContent(ref Reference) bool {
	return ref.Attribute == "" || ref.Attribute == "content" || ref.Attribute == "value"
}

// An itemFile is a file with the item that has it.
type itemFile struct {
	item *Item
	file *File
}

func (f itemFile) key() [3]string { return [3]string{f.item.Vault.ID, f.item.ID, f.file.ID} }
