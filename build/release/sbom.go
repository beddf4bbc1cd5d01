package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// A part is something that is in the binary, as a bill of materials names it.
type part struct {
	name, version string
	purl          string // "" where there is none
	sum           string // go.sum's, of a module
	sha256        string // of a file
	licence       string // an SPDX identifier, or "" where the text says it
	note          string
}

// A bill is what a bill of materials says, in whichever form.
type bill struct {
	program part
	parts   []part
	at      time.Time
}

const (
	noAssertion = "NOASSERTION"
	coreNote    = "WebAssembly that 1Password publishes compiled, in the SDK's module under the terms of its LICENSE; its source is not public"
)

// billOf reads from a binary what Go has linked into it. Our own module has the
// release's version: in a build it has none.
func (r release) billOf(p platform, binary string) (bill, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return bill{}, fmt.Errorf("reading what is in the binary: %w", err)
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		return bill{}, err
	}
	modules, err := linkedModules([]platform{p})
	if err != nil {
		return bill{}, err
	}
	dirs := map[string]string{}
	for _, m := range modules {
		dirs[m.path] = m.dir
	}
	b := bill{at: r.time, program: part{
		name: modulePath, version: r.version, purl: golangURL(modulePath, "v"+r.version), licence: "MIT",
		sha256: fmt.Sprintf("%x", sha256.Sum256(program)), note: p.String(),
	}}
	b.parts = append(b.parts, part{name: "std", version: strings.TrimPrefix(info.GoVersion, "go"), purl: golangURL("std", strings.TrimPrefix(info.GoVersion, "go")), licence: "BSD-3-Clause"})
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			return bill{}, fmt.Errorf("%s is replaced: a release is built from what go.mod names", dep.Path)
		}
		licence, err := licenceOf(dirs[dep.Path])
		if err != nil {
			return bill{}, fmt.Errorf("%s: %w", dep.Path, err)
		}
		b.parts = append(b.parts, part{name: dep.Path, version: dep.Version, purl: golangURL(dep.Path, dep.Version), sum: dep.Sum, licence: licence})
		if dep.Path == onepassword.SDKModule {
			b.parts = append(b.parts, part{name: "1Password core.wasm", version: dep.Version, sha256: onepassword.CoreSHA256, note: coreNote})
		}
	}
	return b, nil
}

func golangURL(path, version string) string {
	return "pkg:golang/" + strings.ReplaceAll(url.PathEscape(path), "%2F", "/") + "@" + url.QueryEscape(version)
}

// licencePhrases tell the licences of what is linked by a sentence that each has, the
// most special first. A text that none of them is in has no identifier here: the text
// itself is in THIRD-PARTY-LICENSES.
var licencePhrases = []struct{ id, phrase string }{
	{"Apache-2.0", "Apache License Version 2.0"},
	{"MPL-2.0", "Mozilla Public License Version 2.0"},
	{"BSD-3-Clause", "Neither the name of"},
	{"BSD-2-Clause", "Redistributions in binary form must reproduce"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose"},
	{"ISC", "Permission to use, copy, modify, and distribute this software for any purpose"},
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
}

// licenceOf is the identifier of a module's licence, "" for one that is not known.
func licenceOf(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !licenceFile.MatchString(entry.Name()) || filepath.Ext(entry.Name()) == ".go" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return "", err
		}
		words := strings.Join(strings.Fields(string(text)), " ")
		for _, l := range licencePhrases {
			if strings.Contains(words, l.phrase) {
				return l.id, nil
			}
		}
	}
	return "", nil
}

// writeBills writes both forms beside the archive.
func (r release) writeBills(p platform, binary string) error {
	b, err := r.billOf(p, binary)
	if err != nil {
		return err
	}
	base := filepath.Join(r.dir, fmt.Sprintf("kamal-op_%s_%s", r.version, p))
	for file, document := range map[string]any{base + ".cdx.json": b.cycloneDX(), base + ".spdx.json": b.spdx()} {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(document); err != nil {
			return err
		}
		if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
			return err
		}
	}
	return nil
}
