package kamal

import (
	"cmp"
	"slices"
	"strings"
)

// takeUses finds where secrets are named, and what env.clear sets.
func (c *Config) takeUses(root *node) {
	c.takeEnv(root.get("env"), "env")
	for _, tag := range root.get("env").get("tags").pairs() {
		c.takeEnv(tag.value, "env.tags."+tag.key.text)
	}
	c.takeRegistry(root.get("registry"), "registry")
	c.takeProxy(root.get("proxy"), "proxy")
	for _, name := range root.get("builder").get("secrets").list() {
		c.use(name, "builder.secrets", false)
	}
	for _, name := range root.get("ssh").get("key_data").list() {
		if v := name.value(); v.Known && isName(v.Text) { // else a key, written out
			c.use(name, "ssh.key_data", false)
		}
	}
	for _, role := range root.get("servers").pairs() {
		key := "servers." + role.key.text
		c.takeEnv(role.value.get("env"), key+".env")
		c.takeProxy(role.value.get("proxy"), key+".proxy")
	}
	for _, accessory := range root.get("accessories").pairs() {
		key := "accessories." + accessory.key.text
		c.takeEnv(accessory.value.get("env"), key+".env")
		c.takeRegistry(accessory.value.get("registry"), key+".registry")
		c.takeProxy(accessory.value.get("proxy"), key+".proxy")
	}
	c.sortUses()
}

// use is one place that names a secret. alias says that it may have another name there.
func (c *Config) use(n *node, key string, alias bool) {
	v := n.value()
	if !v.Known || v.Text == "" {
		return
	}
	u := Use{Name: v.Text, As: v.Text, Key: key, Place: v.Place}
	if alias {
		if as, name, ok := strings.Cut(v.Text, ":"); ok {
			u.As, u.Name = as, name
		}
	}
	c.Uses = append(c.Uses, u)
}

// takeEnv takes an env section.
func (c *Config) takeEnv(n *node, key string) {
	for _, name := range n.get("secret").list() {
		c.use(name, key+".secret", true)
	}
	clear := n.get("clear")
	if clear != nil {
		key += ".clear"
	} else if n.get("secret") == nil && n.get("tags") == nil {
		clear = n // lib/kamal/configuration/env.rb
	}
	for _, entry := range clear.pairs() {
		c.Clear = append(c.Clear, Use{Name: entry.key.text, As: entry.key.text, Key: key, Place: entry.key.place})
	}
}

// takeRegistry takes a registry section.
func (c *Config) takeRegistry(n *node, key string) {
	for _, part := range []string{"username", "password"} {
		if names := n.get(part).list(); len(names) > 0 {
			c.use(names[0], key+"."+part, false) // Kamal takes the first
		}
	}
}

// takeProxy takes a proxy section.
func (c *Config) takeProxy(n *node, key string) {
	ssl := n.get("ssl")
	c.use(ssl.get("certificate_pem"), key+".ssl.certificate_pem", false)
	c.use(ssl.get("private_key_pem"), key+".ssl.private_key_pem", false)
}

// sortUses puts them in the order of the files.
func (c *Config) sortUses() {
	slices.SortStableFunc(c.Uses, func(a, b Use) int {
		return cmp.Or(
			cmp.Compare(slices.Index(c.Files, a.Place.File), slices.Index(c.Files, b.Place.File)),
			cmp.Compare(a.Place.Line, b.Place.Line), cmp.Compare(a.Place.Column, b.Place.Column))
	})
}

// Used are the names of the secrets that deploy.yml names, each once, in order.
func (c *Config) Used() []string {
	var names []string
	seen := map[string]bool{}
	for _, u := range c.Uses {
		if !seen[u.Name] {
			seen[u.Name] = true
			names = append(names, u.Name)
		}
	}
	return names
}

// isName reports whether text can be the name of a secret, as dotenv's keys are.
func isName(text string) bool {
	for _, r := range text {
		if r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return text != ""
}
