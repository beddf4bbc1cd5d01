package rehearsal

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
)

// addresses notes where the project's servers are, so that settings of the app
// that name one lead to what stands for it: an accessory's container where one
// accessory is there, and this machine otherwise.
func (o *overlay) addresses(raw map[string]any) {
	hosts := map[string]bool{}
	var collect func(any)
	collect = func(theirs any) {
		switch h := theirs.(type) {
		case string:
			hosts[h] = true
		case []any:
			for _, one := range h {
				collect(one)
			}
		case map[string]any:
			for host := range h {
				hosts[host] = true
			}
		}
	}
	switch servers := raw["servers"].(type) {
	case []any:
		collect(servers)
	case map[string]any:
		for _, section := range servers {
			if role, ok := section.(map[string]any); ok {
				collect(role["hosts"])
			} else {
				collect(section)
			}
		}
	}
	for host := range hosts {
		o.moved[host] = loopback
	}
	there := map[string][]string{}
	for name, section := range asMap(raw["accessories"]) {
		for _, key := range []string{"host", "hosts"} {
			for _, host := range asList(asMap(section)[key]) {
				there[fmt.Sprint(host)] = append(there[fmt.Sprint(host)], name)
			}
		}
	}
	for host, names := range there {
		o.moved[host] = loopback
		if len(names) == 1 {
			o.moved[host] = o.accessoryService(names[0])
		}
	}
	delete(o.moved, "")
}

// clearEnv moves the plain settings of an env section that name a server of the
// project's: an app that is rehearsed has no business at its database. It is nil
// where there is nothing to move.
func (o *overlay) clearEnv(theirs any) map[string]any {
	env := asMap(theirs)
	plain, ok := env["clear"].(map[string]any)
	if !ok && env["secret"] == nil && env["tags"] == nil {
		plain = env
	}
	moved := map[string]any{}
	for name, value := range plain {
		text, isText := value.(string)
		if !isText {
			continue
		}
		if changed := o.moveText(text); changed != text {
			moved[name] = changed
		}
	}
	ours := map[string]any{}
	if len(moved) > 0 {
		o.settings = slices.AppendSeq(o.settings, maps.Keys(moved))
		if ok {
			ours["clear"] = moved
		} else {
			ours = moved
		}
	}
	for tag, section := range asMap(env["tags"]) {
		if changed := o.clearEnv(section); changed != nil {
			tags, _ := ours["tags"].(map[string]any)
			if tags == nil {
				tags = map[string]any{}
				ours["tags"] = tags
			}
			tags[tag] = changed
		}
	}
	if len(ours) == 0 {
		return nil
	}
	return ours
}

// moveText replaces addresses of the project's servers where they stand as a
// whole word: 10.0.0.1 is not in 10.0.0.12.
func (o *overlay) moveText(text string) string {
	hosts := slices.SortedFunc(maps.Keys(o.moved), func(a, b string) int { return len(b) - len(a) })
	for _, host := range hosts {
		if net.ParseIP(host) == nil && !strings.Contains(host, ".") {
			if text == host { // a bare word may mean anything inside a longer text
				return o.moved[host]
			}
			continue
		}
		for from := 0; ; {
			i := strings.Index(text[from:], host)
			if i < 0 {
				break
			}
			start, end := from+i, from+i+len(host)
			if (start == 0 || !wordByte(text[start-1])) && (end == len(text) || !wordByte(text[end])) {
				text = text[:start] + o.moved[host] + text[end:]
				end = start + len(o.moved[host])
			}
			from = end
		}
	}
	return text
}

func wordByte(c byte) bool {
	return c == '.' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
