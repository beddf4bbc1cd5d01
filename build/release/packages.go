package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
	"time"
)

// packageConfig is what nfpm makes packages from. Nothing of the machine is in them:
// an rpm names the host that it was built on where it is not told another.
var packageConfig = template.Must(template.New("nfpm.yaml").Parse(`name: kamal-op
arch: {{.Arch}}
platform: linux
version: {{.Version}}
version_schema: semver
mtime: {{.Time}}
section: admin
priority: optional
maintainer: The maintainers of kamal-op <https://github.com/kamal-op/kamal-op>
homepage: https://github.com/kamal-op/kamal-op
license: MIT
description: Deploy with Kamal, with secrets and SSH key out of 1Password
rpm:
  buildhost: localhost
  group: Applications/System
contents:
{{- range .Files}}
  - src: {{.From}}
    dst: {{.To}}
{{- with .Only}}
    packager: {{.}}
{{- end}}
    file_info: {mode: {{.Mode}}, owner: root, group: root, mtime: {{$.Time}}}
{{- end}}
`))

// A packagedFile is a file of the packages, or of one kind of them.
type packagedFile struct{ From, To, Mode, Only string }

// packagedFiles are what is in a package, at the paths where shells and man look.
func packagedFiles(tree, manPage string) []packagedFile {
	const docs, share = "/usr/share/doc/kamal-op/", "/usr/share/"
	zsh := filepath.Join(tree, "completions", "_kamal-op")
	return []packagedFile{
		{filepath.Join(tree, "kamal-op"), "/usr/bin/kamal-op", "0755", ""},
		{filepath.Join(tree, "LICENSE"), docs + "copyright", "0644", ""},
		{filepath.Join(tree, licencesName), docs + licencesName, "0644", ""},
		{filepath.Join(tree, "README.md"), docs + "README.md", "0644", ""},
		{filepath.Join(tree, "CHANGELOG.md"), docs + "CHANGELOG.md", "0644", ""},
		{filepath.Join(tree, "completions", "kamal-op.bash"), share + "bash-completion/completions/kamal-op", "0644", ""},
		{filepath.Join(tree, "completions", "kamal-op.fish"), share + "fish/vendor_completions.d/kamal-op.fish", "0644", ""},
		// Debian's zsh looks for what packages bring in a directory of its own.
		{zsh, share + "zsh/vendor-completions/_kamal-op", "0644", "deb"},
		{zsh, share + "zsh/site-functions/_kamal-op", "0644", "rpm"},
		{zsh, share + "zsh/site-functions/_kamal-op", "0644", "apk"},
		{manPage, share + "man/man1/kamal-op.1.gz", "0644", ""},
	}
}

// writePackages makes the packages of the Linux distributions.
func (r release) writePackages(p platform, tree string) error {
	page, err := os.ReadFile(filepath.Join(tree, "man", "kamal-op.1"))
	if err != nil {
		return err
	}
	if page, err = compress(page); err != nil {
		return err
	}
	manPage := filepath.Join(r.dir, "tree", p.String()+".1.gz") // beside the archive's files
	if err := os.WriteFile(manPage, page, 0o600); err != nil {
		return err
	}
	at := r.time.Format(time.RFC3339)
	var config bytes.Buffer
	err = packageConfig.Execute(&config, struct {
		Arch, Version, Time string
		Files               []packagedFile
	}{p.arch, r.version, at, packagedFiles(tree, manPage)})
	if err != nil {
		return err
	}
	file := filepath.Join(r.dir, "tree", p.String()+".yaml")
	if err := os.WriteFile(file, config.Bytes(), 0o600); err != nil {
		return err
	}
	for _, kind := range []string{"deb", "rpm", "apk"} {
		target := filepath.Join(r.dir, fmt.Sprintf("kamal-op_%s_%s.%s", r.version, p, kind))
		cmd := exec.Command(r.nfpm, "package", "--config", file, "--packager", kind, "--target", target)
		cmd.Env = append(os.Environ(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.time.Unix()))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("the %s: %w\n%s", kind, err, out)
		}
	}
	return nil
}
