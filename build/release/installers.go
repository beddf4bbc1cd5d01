package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
)

// launcherName is what the launcher of the native form reads: the hashes of a release.
const launcherName = "release.json"

// A launched is a platform's archive, and the binary in it, by their hashes.
type launched struct {
	Archive string `json:"archive"`
	Binary  string `json:"binary"`
}

// launchedOf hashes what was built for a platform.
func (r release) launchedOf(p platform) (launched, error) {
	var l launched
	for file, to := range map[string]*string{
		filepath.Join(r.dir, fmt.Sprintf("kamal-op_%s_%s.tar.gz", r.version, p)): &l.Archive,
		filepath.Join(r.dir, "tree", p.String(), "kamal-op"):                     &l.Binary,
	} {
		content, err := os.ReadFile(file)
		if err != nil {
			return launched{}, err
		}
		*to = fmt.Sprintf("%x", sha256.Sum256(content))
	}
	return l, nil
}

// formula is Homebrew's, for a tap: what was downloaded must have this hash.
var formula = template.Must(template.New("kamal-op.rb").Parse(`class KamalOp < Formula
  desc "Deploy with Kamal, with secrets and SSH key out of 1Password"
  homepage "https://github.com/kamal-op/kamal-op"
  version "{{.Version}}"
  license "MIT"
{{range .Systems}}
  on_{{.Name}} do
{{- range .Builds}}
    on_{{.CPU}} do
      url "https://github.com/kamal-op/kamal-op/releases/download/v{{$.Version}}/{{.File}}"
      sha256 "{{.Archive}}"
    end
{{- end}}
  end
{{end}}
  def install
    bin.install "kamal-op"
    bash_completion.install "completions/kamal-op.bash" => "kamal-op"
    zsh_completion.install "completions/_kamal-op"
    fish_completion.install "completions/kamal-op.fish"
    man1.install "man/kamal-op.1"
    doc.install "README.md", "CHANGELOG.md", "LICENSE", "THIRD-PARTY-LICENSES"
  end

  test do
    assert_equal "kamal-op #{version}\n", shell_output("#{bin}/kamal-op version")
  end
end
`))

type (
	formulaSystem struct {
		Name   string
		Builds []formulaBuild
	}
	formulaBuild struct {
		CPU, File string
		launched
	}
)

// writeInstallers writes what installs the archives by their hashes: the list for the
// launcher of the native form, and Homebrew's formula.
func (r release) writeInstallers() error {
	hashes := map[string]launched{}
	var systems []formulaSystem
	for _, p := range r.platforms {
		l, err := r.launchedOf(p)
		if err != nil {
			return err
		}
		hashes[p.String()] = l
		name := map[string]string{"darwin": "macos", "linux": "linux"}[p.os]
		if len(systems) == 0 || systems[len(systems)-1].Name != name {
			systems = append(systems, formulaSystem{Name: name})
		}
		last := &systems[len(systems)-1]
		last.Builds = append(last.Builds, formulaBuild{
			CPU: map[string]string{"amd64": "intel", "arm64": "arm"}[p.arch], File: fmt.Sprintf("kamal-op_%s_%s.tar.gz", r.version, p), launched: l,
		})
	}
	list, err := json.MarshalIndent(map[string]any{"version": r.version, "platforms": hashes}, "", "  ")
	if err != nil {
		return err
	}
	var ruby bytes.Buffer
	if err := formula.Execute(&ruby, map[string]any{"Version": r.version, "Systems": systems}); err != nil {
		return err
	}
	for name, text := range map[string][]byte{launcherName: append(list, '\n'), "kamal-op.rb": ruby.Bytes()} {
		if err := os.WriteFile(filepath.Join(r.dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
