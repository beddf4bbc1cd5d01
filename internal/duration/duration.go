// Package duration reads durations as people write them.
package duration

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// most is how many days are taken: with more of them a moment has no year of four digits.
const most = 10_000

// Parse is time.ParseDuration, which also knows days: 10d.
func Parse(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	n, inDays := strings.CutSuffix(s, "d")
	if !inDays {
		return time.ParseDuration(s)
	}
	count, err := strconv.Atoi(n)
	if err != nil || count < -most || count > most {
		return 0, fmt.Errorf("%q is no number of days", s)
	}
	return time.Duration(count) * 24 * time.Hour, nil
}
