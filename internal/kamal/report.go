package kamal

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// ReadReport reads into a value what a command of the preload has written to standard
// output: a line `@kamal-op-NAME JSON` among Kamal's own. of says what it tells of.
func ReadReport(out []byte, name, of string, into any) error {
	_, text, found := bytes.Cut(append([]byte("\n"), out...), []byte("\n@kamal-op-"+name+" "))
	if !found {
		return problem.New("kamal wrote no report of "+of, "this Kamal does not load kamal-op's part: name another with --kamal").About(problem.OtherKamal)
	}
	text, _, _ = bytes.Cut(text, []byte("\n"))
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("kamal's report of %s: %w", of, err)
	}
	return nil
}
