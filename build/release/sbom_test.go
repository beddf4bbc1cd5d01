package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// Both bills name all that is linked, our module by the release's version, and
// 1Password's core, which no list of modules names.
func TestBills(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	p := platform{runtime.GOOS, runtime.GOARCH}
	r := release{version: "1.2.3", dir: t.TempDir(), source: source{commit: strings.Repeat("0", 40), time: time.Date(2026, 11, 30, 1, 2, 3, 0, time.UTC)}}
	binary := filepath.Join(t.TempDir(), "kamal-op")
	if err := r.compile(p, binary); err != nil {
		t.Fatal(err)
	}
	read := func(kind string, into any) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(r.dir, "kamal-op_1.2.3_"+p.String()+kind))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if err := r.writeBills(p, binary); err != nil {
		t.Fatal(err)
	}
	type component struct {
		Name, Version, Purl string
		Hashes              []struct{ Content string }
		Licenses            []struct{ License struct{ ID string } }
	}
	var cdx struct {
		BomFormat, SpecVersion, SerialNumber string
		Metadata                             struct{ Component component }
		Components                           []component
		Dependencies                         []struct{ DependsOn []string }
	}
	first := read(".cdx.json", &cdx)
	if err := r.writeBills(p, binary); err != nil {
		t.Fatal(err)
	}
	if first != read(".cdx.json", &cdx) {
		t.Error("two bills of one binary differ")
	}
	if c := cdx.Metadata.Component; c.Name != modulePath || c.Version != "1.2.3" || c.Purl != "pkg:golang/"+modulePath+"@v1.2.3" || len(c.Hashes) != 1 {
		t.Errorf("the program is %+v", c)
	}
	if !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(cdx.SerialNumber) || cdx.BomFormat != "CycloneDX" {
		t.Errorf("%s %s", cdx.BomFormat, cdx.SerialNumber)
	}
	modules, err := linkedModules([]platform{p})
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]component{}
	for _, c := range cdx.Components {
		byName[c.Name] = c
		if c.Name != "1Password core.wasm" && (len(c.Licenses) != 1 || c.Licenses[0].License.ID == "" || c.Version == "" || c.Purl == "") {
			t.Errorf("of %s the bill says %+v", c.Name, c)
		}
	}
	for _, m := range modules {
		if byName[m.path].Version != m.version {
			t.Errorf("%s %s is linked, the bill has %q", m.path, m.version, byName[m.path].Version)
		}
	}
	if core := byName["1Password core.wasm"]; len(core.Hashes) != 1 || core.Hashes[0].Content != onepassword.CoreSHA256 || core.Version != byName[onepassword.SDKModule].Version {
		t.Errorf("the core is %+v", core)
	}
	if std := byName["std"]; "go"+std.Version != runtime.Version() {
		t.Errorf("Go is %+v", std)
	}
	if len(cdx.Components) != len(modules)+2 || len(cdx.Dependencies[0].DependsOn) != len(cdx.Components) {
		t.Errorf("%d components for %d modules, Go and the core", len(cdx.Components), len(modules))
	}

	var spdx struct {
		SPDXVersion string
		Packages    []struct{ SPDXID, Name, VersionInfo, LicenseDeclared string }
	}
	read(".spdx.json", &spdx)
	if spdx.SPDXVersion != "SPDX-2.3" || len(spdx.Packages) != len(cdx.Components)+1 || spdx.Packages[0].VersionInfo != "1.2.3" {
		t.Errorf("%s with %d packages, the first %+v", spdx.SPDXVersion, len(spdx.Packages), spdx.Packages[0])
	}
	var ids []string
	for _, p := range spdx.Packages {
		ids = append(ids, p.SPDXID)
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != len(spdx.Packages) {
		t.Error("two packages have one id")
	}
}
