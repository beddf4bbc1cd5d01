package onepassword

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func noContext() context.Context { return context.Background() }

// ownUsage is the CPU time in seconds and the peak of resident memory of this
// process.
func ownUsage() (cpu, mib float64) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, 0
	}
	cpu = float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return cpu, 0
	}
	for line := range strings.Lines(string(text)) {
		if after, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.Fields(after)[0])
			if err == nil {
				mib = float64(kib) / 1024
			}
		}
	}
	return cpu, mib
}

// serviceToken is of the right shape; its parts open nothing.
func serviceToken(b *testing.B) string {
	b.Helper()
	text, err := json.Marshal(map[string]any{
		"signInAddress": "sample.1password.com", "userAuth": map[string]any{"method": "SRPg-4096"}, "email": "sample@example.com",
		"srpX": "5a", "muk": map[string]any{"k": "sample"}, "secretKey": "A3-SAMPLE", "deviceUuid": strings.Repeat("a", 26),
	})
	if err != nil {
		b.Fatal(err)
	}
	return "ops_" + base64.RawURLEncoding.EncodeToString(text)
}
