package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal"
)

// One Kamal is tested: the image is made from it, the docs claim it, `version --json`
// tells it and what migrate says of the image, too.
func TestTestedKamal_isOneEverywhere(t *testing.T) {
	for file, pattern := range map[string]string{
		"Dockerfile":        `(?m)^ARG KAMAL_IMAGE=\S+:v([\d.]+)@`,
		"README.md":         `All tests run Kamal (\d+\.\d+\.\d+)\.`,
		"docs/releasing.md": `basecamp/kamal:v([\d.]+)`,
	} {
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1)
		if len(found) == 0 {
			t.Errorf("%s does not say which Kamal it is for", file)
		}
		for _, m := range found {
			if m[1] != kamal.TestedVersion {
				t.Errorf("%s says Kamal %s, tested is %s", file, m[1], kamal.TestedVersion)
			}
		}
	}
}
