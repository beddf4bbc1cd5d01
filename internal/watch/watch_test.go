package watch_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/doctor"
	"github.com/kamal-op/kamal-op/internal/github"
	"github.com/kamal-op/kamal-op/internal/plan"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/review"
	"github.com/kamal-op/kamal-op/internal/watch"
)

// seen is what a check finds, a line each.
func seen(t *testing.T, c doctor.Check) []string {
	t.Helper()
	var lines []string
	for _, f := range c.Look(t.Context()) {
		text := f.Text
		if f.About != "" {
			text = f.About + ": " + text
		}
		lines = append(lines, string(f.State)+" "+f.Check+" "+text)
	}
	return lines
}

func drift(p plan.Plan, err error) doctor.Check {
	return watch.CheckDrift(func(context.Context) (plan.Plan, error) { return p, err })
}

func TestDrift(t *testing.T) {
	settings := plan.Change{Kind: "option", Name: "--memory", From: "64m", To: "96m", What: "other"}
	secret := plan.Change{Kind: "secret", Name: "API_KEY", What: "other"}
	version := plan.Change{Kind: "version", Name: "version", From: "v1", To: "v2", What: "other"}
	for name, test := range map[string]struct {
		plan plan.Plan
		want []string
	}{
		"as it should be": {
			plan.Plan{From: []string{"v1"}, To: "v1", Containers: []plan.Container{{Host: "h1", Role: "web", From: "shop-web-v1", To: "shop-web-v1"}}},
			[]string{"well containers 1 of 1 containers are as they should be"},
		},
		"a version that is not deployed yet": {
			plan.Plan{
				From: []string{"v1"}, To: "v2", Commits: []plan.Commit{{Hash: "v2", Subject: "s"}},
				Containers: []plan.Container{{Host: "h1", Role: "web", From: "shop-web-v1", To: "shop-web-v2", Changes: []plan.Change{version, settings}}},
			},
			[]string{
				"notice version v1 runs, and v2 is checked out, commits between: 1",
				"well containers 1 of 1 containers are as they should be",
			},
		},
		"an old secret, whatever is checked out": {
			plan.Plan{
				From: []string{"v1"}, To: "v2",
				Containers: []plan.Container{{Host: "h1", Role: "web", From: "shop-web-v1", To: "shop-web-v2", Changes: []plan.Change{version, secret, settings}}},
			},
			[]string{
				"problem secrets h1, role web: has not what the vault has: API_KEY",
				"notice version v1 runs, and v2 is checked out",
			},
		},
		"drift of the version that runs": {
			plan.Plan{From: []string{"v1"}, To: "v1", Containers: []plan.Container{{Host: "h1", Role: "web", From: "shop-web-v1", To: "shop-web-v1", Changes: []plan.Change{settings, settings}}}},
			[]string{"problem settings h1, role web: is not as deploy.yml has it: --memory"},
		},
		"an accessory, which no deploy changes": {
			plan.Plan{From: []string{"v1"}, To: "v2", Containers: []plan.Container{{Host: "h1", Accessory: "db", From: "shop-db", To: "shop-db", Changes: []plan.Change{settings}}}},
			[]string{"problem settings h1, accessory db: is not as deploy.yml has it: --memory", "notice version v1 runs, and v2 is checked out"},
		},
		"no container, a stray one, a host that is gone, two versions": {
			plan.Plan{
				From: []string{"v1", "v2"}, To: "v2", Containers: []plan.Container{{Host: "h1", Role: "jobs", To: "shop-jobs-v2"}},
				Stray: []plan.Stray{{Host: "h3", Name: "shop-web-v1", Why: "deploy.yml does not name the host any more"}}, Unreached: []plan.Unreached{{Host: "h2", Why: "timed out"}},
			},
			[]string{
				"problem containers h1, role jobs: no container runs",
				"problem containers h3: shop-web-v1 runs: deploy.yml does not name the host any more",
				"problem containers h2: could not be asked",
				"problem version several versions run: v1, v2",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(test.want, seen(t, drift(test.plan, nil))); d != "" {
				t.Error(d)
			}
		})
	}
	if got := seen(t, drift(plan.Plan{}, errors.New("no kamal"))); len(got) != 1 || !strings.HasPrefix(got[0], "unknown ") {
		t.Errorf("%v", got)
	}
}

func TestPreviews(t *testing.T) {
	left := []review.Orphan{{Service: "shop-pr-12", Hosts: []string{"h1", "h2"}}}
	for name, test := range map[string]struct {
		orphans []review.Orphan
		all     int
		err     error
		want    []string
	}{
		"none":          {nil, 0, nil, []string{"well previews no previews are on the hosts"}},
		"all open":      {nil, 2, nil, []string{"well previews previews on the hosts: 2, each of an open pull request"}},
		"one left over": {left, 2, nil, []string{"problem previews shop-pr-12: is on h1, h2, and its pull request is not open"}},
		"a silent host": {left, 1, problem.Newf("h3 did not say"), []string{
			"problem previews shop-pr-12: is on h1, h2, and its pull request is not open", "unknown previews which previews are left over: h3 did not say",
		}},
		"a token that may not": {nil, 0, &problem.Problem{Message: "reading: the token may not do that", Cause: &github.DeniedError{Permission: "pull-requests: read"}}, []string{
			"notice previews which previews are left over, is not looked at: reading: the token may not do that",
		}},
		"a token that has ended": {nil, 0, &problem.Problem{Message: "reading: GitHub does not accept the token", Cause: &github.DeniedError{Status: 401}}, []string{
			"problem previews which previews are left over: reading: GitHub does not accept the token",
		}},
	} {
		check := watch.CheckPreviews(func(context.Context) ([]review.Orphan, int, error) { return test.orphans, test.all, test.err })
		if d := cmp.Diff(test.want, seen(t, check)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// server serves TLS with a certificate of its own authority until the test ends.
func server(t *testing.T, name string, end time.Time) (dial func(ctx context.Context, network, address string) (net.Conn, error), roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: end.Add(-90 * 24 * time.Hour), NotAfter: end, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(certificate)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake() // whoever refuses the certificate says so
			_ = conn.Close()                 // nothing was sent
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close() // ends the loop
		<-served
	})
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != net.JoinHostPort("shop.example.com", "443") {
			return nil, errors.New("no such host")
		}
		return new(net.Dialer).DialContext(ctx, network, listener.Addr().String())
	}, roots
}

func TestCertificates(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	end := now.Add(60 * 24 * time.Hour)
	day := end.UTC().Format("2006-01-02")
	dial, roots := server(t, "shop.example.com", end)
	other, otherRoots := server(t, "other.example.com", end)
	for name, test := range map[string]struct {
		c    watch.Certificates
		host string
		want string
	}{
		"good":          {watch.Certificates{Dial: dial, Roots: roots, Now: func() time.Time { return now }}, "shop.example.com", "well certificate shop.example.com: its certificate holds until " + day},
		"near its end":  {watch.Certificates{Dial: dial, Roots: roots, Now: func() time.Time { return end.Add(-13 * 24 * time.Hour) }}, "shop.example.com", "problem certificate shop.example.com: its certificate holds until " + day},
		"ended":         {watch.Certificates{Dial: dial, Roots: roots, Now: func() time.Time { return end.Add(time.Hour) }}, "shop.example.com", "problem certificate shop.example.com: its certificate is not good: "},
		"of nobody's":   {watch.Certificates{Dial: dial, Roots: otherRoots, Now: func() time.Time { return now }}, "shop.example.com", "problem certificate shop.example.com: its certificate is not good: "},
		"of another":    {watch.Certificates{Dial: other, Roots: otherRoots, Now: func() time.Time { return now }}, "shop.example.com", "problem certificate shop.example.com: its certificate is not good: "},
		"not reachable": {watch.Certificates{Dial: dial, Roots: roots, Now: func() time.Time { return now }}, "gone.example.com", "unknown certificate gone.example.com: its certificate"},
	} {
		test.c.Hosts = func(context.Context) []string { return []string{test.host} }
		if got := seen(t, test.c.Check()); len(got) != 1 || !strings.HasPrefix(got[0], test.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func report(found ...doctor.Finding) doctor.Report {
	r := doctor.Report{Counts: map[doctor.State]int{}}
	for _, f := range found {
		r.Findings = append(r.Findings, f)
		r.Counts[f.State]++
	}
	return r
}

func TestChange(t *testing.T) {
	disk := doctor.Finding{Area: "hosts", Check: "disk", About: "203.0.113.1", State: doctor.Notice, Text: "only 1.2 GiB free", Hint: "make room"}
	secret := doctor.Finding{Area: "what runs", Check: "secrets", About: "203.0.113.1, role web", State: doctor.Wrong, Text: "has not what the vault has: API_KEY"}
	evil := doctor.Finding{Area: "what runs", Check: "containers", State: doctor.Wrong, Text: "@everyone #1 <img src=x> [a](javascript:x) `b`\nrm"}
	evil.About, evil.Hint = evil.Text, evil.Text
	keys := doctor.Finding{Area: "hosts", Check: "host-keys", State: doctor.Notice, Text: "no host keys are given"}
	well := doctor.Finding{Area: "hosts", Check: "disk", About: "203.0.113.1", State: doctor.Well, Text: "9 GiB free"}

	if c := watch.Change("", report(well, keys), "shop", ""); c.Body != "" || c.Comment != "" || watch.Wrong(report(well, keys)) {
		t.Errorf("all is well: %+v", c)
	}
	first := watch.Change("", report(disk, keys), "shop (production)", "https://github.test/run/1")
	if first.Title != "shop (production): what runs is not as it should be" || first.Comment != "" ||
		!strings.Contains(first.Body, "- **hosts, 203.0.113.1**: only 1.2 GiB free  \n  make room\n") || !strings.Contains(first.Body, "([run](https://github.test/run/1))") || strings.Contains(first.Body, "no host keys") {
		t.Errorf("%+v", first)
	}
	disk.Text = "only 1.1 GiB free"
	second := watch.Change(first.Body, report(disk, secret), "shop (production)", "")
	if !strings.HasPrefix(second.Comment, "New:\n\n- **what runs, 203.0.113.1, role web**") || strings.Contains(second.Comment, "GiB") || !strings.Contains(second.Body, "1.1 GiB") {
		t.Errorf("%+v", second)
	}
	if same := watch.Change(second.Body, report(disk, secret), "shop (production)", ""); same.Comment != "" || same.Body != second.Body {
		t.Errorf("%+v", same)
	}
	if end := watch.Change(second.Body, report(well), "shop (production)", ""); end.Body != "" || end.Comment == "" {
		t.Errorf("%+v", end)
	}
	var many []doctor.Finding
	for n := range 3000 {
		many = append(many, doctor.Finding{Area: "what runs", Check: "secrets", About: fmt.Sprint("host ", n), State: doctor.Wrong, Text: strings.Repeat("NAME, ", 20)})
	}
	long := watch.Change("", report(many...), "shop", "")
	if again := watch.Change(long.Body[:65000], report(many...), "shop", ""); again.Comment != "" {
		t.Errorf("a text that was cut makes %d bytes new", len(again.Comment))
	}
	if all := watch.Change(first.Body, report(many...), "shop", ""); len(all.Comment) > 10000 || !strings.Contains(all.Comment, "and 2980 more") {
		t.Errorf("%d bytes are told as new", len(all.Comment))
	}
	unseen := doctor.Finding{Area: "what runs", Check: "containers", State: doctor.Unseen, Text: "what the servers run"}
	if kept := watch.Change(second.Body, report(unseen), "shop (production)", ""); kept.Body != second.Body || kept.Comment != "" {
		t.Errorf("what was wrong could not be looked at: %+v", kept)
	}
	text := watch.Change("", report(evil), "shop", "").Body
	for _, bad := range []string{"**: @everyone", ", @everyone", "\n  @everyone", " #1 ", " <img", "[a](java", "\nrm"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q reaches Markdown:\n%s", bad, text)
		}
	}
}
