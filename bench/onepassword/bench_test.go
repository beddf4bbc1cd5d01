// Package onepassword measures reading from 1Password: references over Connect at
// 5 ms a request, and the load of the SDK's core, cold beside warm.
package onepassword

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/mask"
)

// latency is what a Connect server in the same network takes for a request.
const latency = 5 * time.Millisecond

// A job is run in a process of its own, because its memory is measured, or because
// a core is loaded once in a process.
type job struct {
	Do          string // resolve, load, warm
	URL, Token  string
	Refs, Items int
	Dir, Own    string
}

type usage struct {
	Seconds, CPU float64
	PeakMiB      float64
	From, Err    string
}

const jobVariable = "KAMAL_OP_BENCH"

func TestMain(m *testing.M) {
	text, ok := os.LookupEnv(jobVariable)
	if !ok {
		os.Exit(m.Run())
	}
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	began := time.Now()
	var u usage
	if err := j.run(&u); err != nil {
		u.Err = err.Error()
	}
	u.Seconds = time.Since(began).Seconds()
	u.CPU, u.PeakMiB = ownUsage()
	if err := json.NewEncoder(os.Stdout).Encode(u); err != nil {
		os.Exit(2)
	}
}

func (j job) run(u *usage) error {
	switch j.Do {
	case "resolve":
		return resolve(j.URL, j.Token, references(j.Refs, j.Items))
	case "warm":
		_, err := onepassword.WarmCache(j.Dir, false)
		return err
	}
	o := onepassword.ServiceAccountOptions{Token: mask.NewSecret("token", j.Token), OwnCache: j.Own}
	if j.Dir != "" {
		o.CacheDirs = []string{j.Dir}
	}
	s, err := onepassword.NewServiceAccount(o)
	if err != nil {
		return err
	}
	s.Prewarm()
	u.From, err = s.Ready(noContext())
	onepassword.Settle()
	return err
}

// elsewhere runs a job in a process of its own.
func elsewhere(b *testing.B, j job) usage {
	b.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), jobVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	var u usage
	if err := json.Unmarshal(out, &u); err != nil || u.Err != "" {
		b.Fatalf("%s %s %v", out, u.Err, err)
	}
	return u
}

// references declares refs fields over items items of one vault, by names.
func references(refs, items int) []onepassword.Declaration {
	declared := make([]onepassword.Declaration, refs)
	for n := range declared {
		name := fmt.Sprintf("SECRET_%d", n/items)
		declared[n] = onepassword.Declaration{
			Name: fmt.Sprintf("%s_%d", name, n%items), Origin: "--secret",
			Ref: onepassword.Reference{Vault: "MyApp", Item: fmt.Sprintf("Item %d", n%items), Field: name},
		}
	}
	return declared
}

// vault serves items items with as many fields of 40 bytes as the references need.
func vault(b *testing.B, refs, items int) *standin.Vault {
	b.Helper()
	spec := standin.VaultSpec{Name: "MyApp"}
	for i := range items {
		item := standin.ItemSpec{Title: fmt.Sprintf("Item %d", i)}
		for f := range (refs + items - 1) / items {
			item.Fields = append(item.Fields, standin.FieldSpec{Label: fmt.Sprintf("SECRET_%d", f), Value: strings.Repeat("v", 40)})
		}
		spec.Items = append(spec.Items, item)
	}
	v, err := standin.StartVault(b.Context(), standin.VaultOptions{Vaults: []standin.VaultSpec{spec}, Latency: latency})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := v.Close(); err != nil {
			b.Error(err)
		}
	})
	return v
}

func resolve(url, token string, declared []onepassword.Declaration) error {
	backend, err := onepassword.NewConnect(onepassword.ConnectOptions{Host: url, Token: mask.NewSecret("token", token)})
	if err != nil {
		return err
	}
	defer backend.Close()
	secrets, err := onepassword.NewResolver(backend, onepassword.Options{}).Resolve(noContext(), declared)
	if err == nil && len(secrets) != len(declared) {
		return fmt.Errorf("%d secrets of %d", len(secrets), len(declared))
	}
	return err
}

// BenchmarkConnect resolves references from nothing: client, lists and items.
func BenchmarkConnect(b *testing.B) {
	for _, refs := range []int{1, 100, 1000} {
		for _, items := range []int{1, 2, 10, 50} {
			if items > refs {
				continue
			}
			b.Run(fmt.Sprintf("refs=%d/items=%d", refs, items), func(b *testing.B) {
				v := vault(b, refs, items)
				declared := references(refs, items)
				b.ResetTimer()
				for b.Loop() {
					v.Forget()
					if err := resolve(v.URL(), v.Token(), declared); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(v.Requests())), "requests/op")
			})
		}
	}
}

// BenchmarkConnectMemory is the peak of resident memory of a process that resolves
// 1,000 references over 50 items. The goal is 40 MB.
func BenchmarkConnectMemory(b *testing.B) {
	v := vault(b, 1000, 50)
	peak, cpu := 0.0, 0.0
	for b.Loop() {
		u := elsewhere(b, job{Do: "resolve", URL: v.URL(), Token: v.Token(), Refs: 1000, Items: 50})
		peak, cpu = max(peak, u.PeakMiB), cpu+u.CPU
	}
	b.ReportMetric(peak, "peak-MiB")
	b.ReportMetric(cpu/float64(b.N)*1000, "cpu-ms/op")
}

// BenchmarkCore loads the SDK's core in a process of its own, in turns: compiled, compiled
// and kept for the next run, out of what an earlier run has kept, and out of a directory
// that was warmed. The goals for the last two are 0.2 s and 70 MB.
func BenchmarkCore(b *testing.B) {
	dir, own := b.TempDir()+"/core", b.TempDir()+"/own/core"
	elsewhere(b, job{Do: "warm", Dir: dir})
	token := serviceToken(b)
	elsewhere(b, job{Do: "load", Token: token, Own: own})
	for _, way := range []struct{ name, dir, own, from string }{
		{"cold", "", "", ""}, {"kept", "", "new", ""}, {"own", "", own, own}, {"warm", dir, "", dir},
	} {
		b.Run(way.name, func(b *testing.B) {
			var sum usage
			best := math.Inf(1)
			for b.Loop() {
				j := job{Do: "load", Token: token, Dir: way.dir, Own: way.own}
				if j.Own == "new" {
					j.Own = b.TempDir() + "/core"
				}
				u := elsewhere(b, j)
				if u.From != way.from {
					b.Fatalf("it was loaded from %q", u.From)
				}
				best = min(best, u.Seconds)
				sum.Seconds, sum.CPU, sum.PeakMiB = sum.Seconds+u.Seconds, sum.CPU+u.CPU, max(sum.PeakMiB, u.PeakMiB)
			}
			b.ReportMetric(sum.Seconds/float64(b.N), "ready-s/op")
			b.ReportMetric(best, "best-s")
			b.ReportMetric(sum.CPU/float64(b.N), "cpu-s/op")
			b.ReportMetric(sum.PeakMiB, "peak-MiB")
		})
	}
}
