// Package check measures a check of a large project, offline: 1,000 secrets, 20
// destinations.
package check

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/check"
)

const secrets, destinations = 1000, 20

// project writes the files. With own, every destination has a secrets file of its
// own that fetches and extracts all of them; else all read one.
func project(b *testing.B, own bool) string {
	b.Helper()
	dir := b.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	var config, extracts strings.Builder
	var names []string
	config.WriteString("service: big\nimage: example/big\nservers: [192.0.2.1]\nregistry: {username: u, password: [SECRET_0]}\nbuilder: {arch: amd64}\nenv:\n  secret:\n")
	for i := range secrets {
		name := fmt.Sprintf("SECRET_%d", i)
		names = append(names, name)
		fmt.Fprintf(&config, "    - %s\n", name)
		fmt.Fprintf(&extracts, "%s=$(kamal secrets extract %s $SECRETS)\n", name, name)
	}
	write("config/deploy.yml", config.String())
	file := func(item string) string {
		return "SECRETS=$(kamal secrets fetch --adapter 1password --account a --from Big/" + item + " " + strings.Join(names, " ") + ")\n" + extracts.String()
	}
	for i := range destinations {
		d := fmt.Sprintf("d%d", i)
		write("config/deploy."+d+".yml", "servers: [192.0.2."+fmt.Sprint(i+2)+"]\nproxy: {host: "+d+".example.com}\n")
		if own {
			write(".kamal/secrets."+d, file(d))
		}
	}
	if own {
		write(".kamal/secrets", file("Production"))
	} else {
		write(".kamal/secrets-common", file("Production"))
	}
	return dir
}

func BenchmarkCheck(b *testing.B) {
	for name, own := range map[string]bool{"one secrets file": false, "a secrets file each": true} {
		b.Run(name, func(b *testing.B) {
			dir := project(b, own)
			began := processorTime()
			for b.Loop() {
				report, err := check.Check(context.Background(), check.Options{Dir: dir})
				if err != nil {
					b.Fatal(err)
				}
				if report.Failed() || len(report.Matrices) != destinations+1 || len(report.Matrices[0].Rows) != secrets {
					b.Fatalf("%d findings, %d destinations", len(report.Findings), len(report.Matrices))
				}
				if err := check.WriteText(io.Discard, report, false, 0); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((processorTime()-began).Microseconds())/1000/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "wall-ms/op")
		})
	}
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
