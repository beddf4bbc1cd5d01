package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// checksumsName is the list of hashes, as `sha256sum --check` reads it.
const checksumsName = "checksums.txt"

// writeArchive packs the files below a directory, which lie in a directory of this name
// in the archive. Of the files only name, content and whether they are programs
// counts: owners and times are the same for everybody.
func writeArchive(file, name, dir string, at time.Time) error {
	files, err := filesBelow(dir)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	compressed, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return err
		}
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			return err
		}
		mode := int64(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: name + "/" + filepath.ToSlash(file), Size: int64(len(content)), Mode: mode,
			ModTime: at, Format: tar.FormatUSTAR,
		}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(content); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	if err := compressed.Close(); err != nil {
		return err
	}
	return os.WriteFile(file, packed.Bytes(), 0o600)
}

// filesBelow are the files below a directory, by their paths in it, sorted.
func filesBelow(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := filepath.Rel(dir, path)
		files = append(files, file)
		return err
	})
	return files, err
}

// writeChecksums lists the hashes of all files of a directory, in it.
func writeChecksums(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var list strings.Builder
	for _, entry := range entries {
		if entry.IsDir() || entry.Name() == checksumsName {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%x  %s\n", sha256.Sum256(content), entry.Name())
	}
	return os.WriteFile(filepath.Join(dir, checksumsName), []byte(list.String()), 0o600)
}
