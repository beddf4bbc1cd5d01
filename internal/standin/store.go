package standin

import (
	"fmt"
	"sync"
)

// A store is the vaults that a stand-in of 1Password serves. They are in memory and
// can be changed while it runs.
type store struct {
	mu     sync.Mutex
	vaults []*VaultSpec
}

// fill puts vaults into a store that is not shared yet.
func (s *store) fill(vaults []VaultSpec) error {
	for _, spec := range vaults {
		if err := s.put(spec); err != nil {
			return err
		}
	}
	return nil
}

// Put adds a vault, or replaces the one of the same id or, without an id, name.
func (s *store) Put(spec VaultSpec) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(spec)
}

// PutItem adds an item to the vault of the name, or replaces the item of the same
// id or, without an id, title.
func (s *store) PutItem(vault string, spec ItemSpec) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.named(vault)
	if found == nil {
		return fmt.Errorf("there is no vault %q", vault)
	}
	return found.put(spec)
}

// SetField gives a field of an item a value, and adds the field where the item
// has none of the label.
func (s *store) SetField(vault, item, label, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.named(vault)
	if found == nil {
		return fmt.Errorf("there is no vault %q", vault)
	}
	for i := range found.Items {
		if it := &found.Items[i]; it.Title == item || it.ID == item {
			it.Version++
			for f := range it.Fields {
				if it.Fields[f].Label == label {
					it.Fields[f].Value = value
					return nil
				}
			}
			it.Fields = append(it.Fields, FieldSpec{ID: newID(), Label: label, Value: value, Type: "CONCEALED"})
			return nil
		}
	}
	return fmt.Errorf("the vault %q has no item %q", vault, item)
}

// RemoveItem takes an item away, as if it had been deleted for good.
func (s *store) RemoveItem(vault, item string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.named(vault); found != nil {
		for i := range found.Items {
			if found.Items[i].Title == item || found.Items[i].ID == item {
				found.Items = append(found.Items[:i:i], found.Items[i+1:]...)
				return nil
			}
		}
	}
	return fmt.Errorf("the vault %q has no item %q", vault, item)
}

// named is the vault of the name or id. s.mu is held.
func (s *store) named(name string) *VaultSpec {
	for _, spec := range s.vaults {
		if spec.Name == name || spec.ID == name {
			return spec
		}
	}
	return nil
}

// put stores a copy with every id filled in. s.mu is held, or s is not shared yet.
func (s *store) put(spec VaultSpec) error {
	filled, err := spec.filled()
	if err != nil {
		return err
	}
	for i, old := range s.vaults {
		if old.ID == filled.ID || spec.ID == "" && old.Name == spec.Name {
			if spec.ID == "" {
				filled.ID = old.ID
			}
			s.vaults[i] = &filled
			return nil
		}
	}
	s.vaults = append(s.vaults, &filled)
	return nil
}

// byID is the vault of the id. s.mu is held.
func (s *store) byID(id string) *VaultSpec {
	for _, spec := range s.vaults {
		if spec.ID == id {
			return spec
		}
	}
	return nil
}

// item is the item of the id. The store's lock is held.
func (s *VaultSpec) item(id string) *ItemSpec {
	for n := range s.Items {
		if s.Items[n].ID == id {
			return &s.Items[n]
		}
	}
	return nil
}
