package broker

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker/opclient"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// say is what the broker answers to one line, as JSON.
func (d *desk) say(t *testing.T, line string) string {
	t.Helper()
	text, err := json.Marshal(d.answer(t.Context(), []byte(line)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAnswer_EachKindOfRequestReachesItsPart(t *testing.T) {
	var logins []string
	o := Options{
		Declared: []DeclaredSecret{{Secret: mask.NewSecret("A", "a-value")}}, ForwardAgent: true, Choices: Choices{RollbackOnFailure: true},
		Hosts: &Hosts{KnownHosts: "/run/kh", LogIn: true, Check: func(_ context.Context, hosts []Host, logIn bool) problem.List {
			if len(hosts) == 1 && hosts[0].Host == "bad" && logIn {
				return problem.List{problem.New("bad is down", "")}
			}
			return nil
		}},
		Login: func(server string) error {
			logins = append(logins, server)
			if server == "full" {
				return errors.New("disk full")
			}
			return nil
		},
	}
	d := newDesk(o)
	for line, want := range map[string]string{
		`{"hello":{"pid":7}}`:                                 `{"declared":{"A":"YS12YWx1ZQ=="},"forward_agent":true,"roll_back":true,"known_hosts":"/run/kh","log_in":true}`,
		`{"needed":{"pid":9}}`:                                `{}`,
		`{"needed":{"pid":-1}}`:                               `{}`,
		`{"hosts":{"hosts":[{"host":"bad"}],"log_in":true}}`:  `{"stop":"bad is down"}`,
		`{"hosts":{"hosts":[{"host":"good"}],"log_in":true}}`: `{}`,
		`{"login":{"server":"r.example"}}`:                    `{}`,
		`{"login":{"server":"full"}}`:                         `{"stop":"disk full"}`,
		`{"registry":{"username":"u","password":"cA=="}}`:     `{"error":"nobody has asked for the login of the registry"}`,
		`{"lock":{"event":"taken"}}`:                          `{"error":"nothing is to be done about locks"}`,
		`{"boot":{"host":"h","role":"web","version":"v2","before":"v1","state":"booted"}}`: `{}`,
		`{"rolled_back":{"hosts":["h"],"role":"web","version":"v1"}}`:                      `{}`,
		`{"op":{"args":["--version"]}}`:                                                    `{"stdout":"Mi4zNC4wK2thbWFsLW9wCg=="}`,
		`{"check":{}}`:                                                                     `{}`,
		`{}`:                                                                               `{"error":"the request is not understood"}`,
		`{"lock":`:                                                                         `{"error":"the request is not understood"}`,
	} {
		if got := d.say(t, line); got != want {
			t.Errorf("%s is answered\n%s\nwant\n%s", line, got, want)
		}
	}
	if kamals, needed := d.Running(); !slices.Equal(kamals, []int{7}) || !slices.Equal(needed, []int{9}) {
		t.Errorf("running are %v, %v", kamals, needed)
	}
	slices.Sort(logins)
	if !slices.Equal(logins, []string{"full", "r.example"}) {
		t.Errorf("logins: %q", logins)
	}
	if got := newDesk(Options{}).say(t, `{"login":{"server":"x"}}`) + newDesk(Options{}).say(t, `{"hosts":{}}`) + newDesk(Options{Hosts: &Hosts{}}).say(t, `{"hosts":{}}`); got != "{}{}{}" {
		t.Errorf("where nobody wants to know: %s", got)
	}
}

// Of a deploy that is over the hosts keep what the run says, where it says something.
func TestRecordResult(t *testing.T) {
	var got Result
	var before string
	o := Options{
		Record:   func(_ context.Context, e Result) Record { got = e; return Record{"a line", []string{"h1"}, true} },
		ReadPast: func(log string) { before = log },
	}
	if answer := newDesk(o).say(t, `{"hello":{"pid":7}}`); !strings.Contains(answer, `"history":true`) {
		t.Error(answer)
	}
	const over = `{"ended":{"command":"deploy","version":"v1","how":"done","took":1.5}}`
	if answer := newDesk(o).say(t, over); answer != `{"line":"a line","hosts":["h1"],"past":true}` || got != (Result{"deploy", "v1", "done", 1500 * time.Millisecond}) {
		t.Errorf("%s, %+v", answer, got)
	}
	if answer := newDesk(o).say(t, `{"past":{"log":"lines"}}`); answer != "{}" || before != "lines" {
		t.Errorf("%s, %q", answer, before)
	}
	if answer := newDesk(Options{}).say(t, `{"past":{"log":"lines"}}`); answer != "{}" {
		t.Error(answer)
	}
	if answer := newDesk(Options{}).say(t, over); answer != `{"error":"nothing is to be written down"}` {
		t.Error(answer)
	}
}

func TestHello_StopsWhereANeededPartStepsAside(t *testing.T) {
	aside := func(part string) string {
		return `{"hello":{"pid":7,"kamal":"9.9","dotenv":"3","ruby":"3.3","aside":[{"part":"` + part + `","why":"it is new"}]}}`
	}
	for _, test := range []struct {
		part, stop string
		o          Options
	}{
		{pinningPart, "host keys given with --host-keys cannot be enforced with kamal 9.9: it is new", Options{Hosts: &Hosts{KnownHosts: "/kh"}}},
		{pinningPart, "", Options{Hosts: &Hosts{}}},
		{bootsPart, "--rollback-on-failure does not know this Kamal (9.9): it is new", Options{Choices: Choices{RollbackOnFailure: true}}},
		{bootsPart, "", Options{}},
		{exactPart, "--exact-values does not know this Kamal (9.9): it is new", Options{ExactValues: kamal.ExactValues{Names: []string{"A"}}}},
		{exactPart, "", Options{}},
		{"something else", "", Options{Choices: Choices{RollbackOnFailure: true}, Hosts: &Hosts{KnownHosts: "/kh"}}},
	} {
		d := newDesk(test.o)
		var reply struct{ Stop string }
		if err := json.Unmarshal([]byte(d.say(t, aside(test.part))), &reply); err != nil {
			t.Fatal(err)
		}
		if (reply.Stop == "") != (test.stop == "") || !strings.Contains(reply.Stop, test.stop) || len(d.Problems()) != len(reply.Stop)/max(1, len(reply.Stop)) {
			t.Errorf("%s: Kamal is told %q", test.part, reply.Stop)
		}
		d.say(t, aside(test.part))
		var warnings int
		for _, e := range d.events {
			if e.Kind == Warning {
				warnings++
				if !strings.Contains(e.Message, "kamal 9.9, dotenv 3: "+test.part+" is left to Kamal, it is new") {
					t.Errorf("%+v", e)
				}
			}
		}
		if warnings != 1 {
			t.Errorf("%s: %d warnings for two Kamals", test.part, warnings)
		}
	}
}

func TestStopFor_PutsTheFirstProblemBehindKamalsWords(t *testing.T) {
	d := newDesk(Options{})
	p := problem.New("one", "do this")
	p.Details = []string{"more"}
	if got := d.stopFor(problem.List{p, problem.New("two", "")}); got != "one\n    more\n    hint: do this\n  two" {
		t.Errorf("%q", got)
	}
	if len(d.Problems()) != 2 {
		t.Errorf("%q", d.messages())
	}
}

// A clerk decides about locks, and remembers what it was told.
type clerk struct {
	told    []string
	verdict Verdict
}

func (c *clerk) Mark() kamal.Mark         { return kamal.Mark{} }
func (c *clerk) Taking(p kamal.LockPlace) { c.told = append(c.told, "taking "+p.Host) }

func (c *clerk) Taken(p kamal.LockPlace) { c.told = append(c.told, "taken "+p.Host) }

func (c *clerk) Released(p kamal.LockPlace) { c.told = append(c.told, "released "+p.Host) }

func (c *clerk) Kept(p kamal.LockPlace)                   { c.told = append(c.told, "kept "+p.Host) }
func (c *clerk) Ran(p kamal.LockPlace, how kamal.Release) { c.told = append(c.told, "ran "+p.Host) }
func (c *clerk) Held(_ context.Context, p kamal.LockPlace, _ kamal.Lock, patience time.Duration) Verdict {
	c.told = append(c.told, "held "+p.Host+" "+patience.String())
	return c.verdict
}

func TestParseFlags_ReadsWhatTheCLIReads(t *testing.T) {
	for _, test := range []struct {
		args []string
		want map[string]string
		err  string
	}{
		{[]string{"-oFILE", "-n"}, map[string]string{"out-file": "FILE", "no-newline": "true"}, ""},
		{[]string{"-o=FILE"}, map[string]string{"out-file": "FILE"}, ""},
		{[]string{"-o", "FILE", "--reveal=1", "--cache=true", "--raw=false", "--force=0"}, map[string]string{"out-file": "FILE", "reveal": "true", "cache": "true"}, ""},
		{[]string{"--reveal=perhaps"}, nil, "true or false"},
		{[]string{"--vault"}, nil, "flag needs an argument: --vault"},
		{[]string{"--vault=", "-"}, map[string]string{"vault": ""}, ""},
		{[]string{"--nope"}, nil, "unknown flag: --nope"},
		{[]string{"-x"}, nil, "unknown flag: -x"},
		{[]string{"--outfile"}, nil, "unknown flag: --outfile"},
	} {
		c, err := parseFlags(test.args)
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%v: %v", test.args, err)
			continue
		}
		for name, value := range test.want {
			if got, ok := c.flags[name]; !ok || got != value {
				t.Errorf("%v: %s is %q, %v", test.args, name, got, ok)
			}
		}
		if test.want != nil && len(c.flags) != len(test.want) {
			t.Errorf("%v: %v", test.args, c.flags)
		}
	}
	c, err := parseFlags([]string{"run", "--no-masking", "--", "sh", "--vault"})
	if err != nil || !c.dash || !slices.Equal(c.rest, []string{"sh", "--vault"}) || !slices.Equal(c.words, []string{"run"}) {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestInject_ReplacesReferencesOnly(t *testing.T) {
	vault := aShelf()
	d := newDesk(Options{Vault: vault, Vaults: []string{"MyApp"}})
	for template, want := range map[string]string{
		"{{ op://MyApp/Production/password }}": "pass-value",
		"x=op://MyApp/Production/password.":    "x=pass-value.",
		"op://MyApp/Production/password\n":     "pass-value\n",
		"shop://MyApp/Production/password":     "shop://MyApp/Production/password",
		"Zop://MyApp/Production/password":      "Zop://MyApp/Production/password",
		"zop://MyApp/Production/password":      "zop://MyApp/Production/password",
		"Aop://MyApp/Production/password":      "Aop://MyApp/Production/password",
		"aop://MyApp/Production/password":      "aop://MyApp/Production/password",
		"0op://MyApp/Production/password":      "0op://MyApp/Production/password",
		"9op://MyApp/Production/password":      "9op://MyApp/Production/password",
		"-op://MyApp/Production/password":      "-op://MyApp/Production/password",
		"(op://MyApp/Production/password)":     "(pass-value)",
		"@op://MyApp/Production/password[":     "@pass-value[",
		"op://MyApp/${I:-Production}/password": "pass-value",
		"op://MyApp/$ITEM/password":            "pass-value",
		"nothing":                              "nothing",
	} {
		reply := d.op(t.Context(), &opclient.Request{Args: []string{"inject"}, Stdin: []byte(template), Env: []string{"ITEM=Nope", "ITEM=Production", "I="}})
		if string(reply.Stdout) != want || reply.Status != 0 {
			t.Errorf("%q gives %q, %s", template, reply.Stdout, reply.Stderr)
		}
	}
	reply := d.op(t.Context(), &opclient.Request{Args: []string{"inject"}, Stdin: []byte("op://MyApp/Production/a op://MyApp/Production/b")})
	if reply.Status != 1 || len(reply.Stdout) != 0 || !strings.Contains(reply.Stderr, "no field a") || !strings.Contains(reply.Stderr, "also: no field b") {
		t.Errorf("%+v", reply)
	}
}

func TestRun_ResolvesReferencesOnly(t *testing.T) {
	vault := aShelf()
	vault.values["op://MyApp/Production/nul"] = "a\x00b"
	d := newDesk(Options{Vault: vault, Vaults: []string{"MyApp"}})
	run := func(env []string, args ...string) *opclient.Reply {
		return d.op(t.Context(), &opclient.Request{Args: append([]string{"run"}, args...), Env: env})
	}
	reply := run([]string{"A=op://MyApp/Production/password", "B=plain", "C"}, "--", "sh", "-c", "x")
	if reply.Status != 0 || !slices.Equal(reply.Set, []string{"A=pass-value"}) || !slices.Equal(reply.Exec, []string{"sh", "-c", "x"}) {
		t.Errorf("%+v", reply)
	}
	reply = run([]string{"A=op://MyApp/Production/nul", "B=op://MyApp/Production/nope"}, "--", "sh")
	if reply.Status != 1 || len(reply.Exec) != 0 || !strings.Contains(reply.Stderr, "A: the value has a NUL byte") || !strings.Contains(reply.Stderr, "B: no field nope") {
		t.Errorf("%+v", reply)
	}
	for _, args := range [][]string{{"sh"}, {"--"}, {"sh", "--", "x"}} {
		if reply := run(nil, args...); reply.Status != 1 || !strings.Contains(reply.Stderr, "takes its command after --") {
			t.Errorf("%v: %+v", args, reply)
		}
	}
}

func TestOp_HandsUnknownCommandsToTheRealOne(t *testing.T) {
	d := newDesk(Options{Vault: aShelf(), RealOp: "/usr/bin/op"})
	if reply := d.call(t, "item", "create"); !slices.Equal(reply.Exec, []string{"/usr/bin/op", "item", "create"}) {
		t.Errorf("%+v", reply)
	}
	if reply := d.call(t, "read", "op://Other/Own/password"); len(reply.Exec) != 0 || reply.Status != 1 {
		t.Errorf("what is refused goes there: %+v", reply)
	}
	d = newDesk(Options{Vault: aShelf()})
	for _, args := range [][]string{{"item", "create"}, {}, {"read", "--otp", "x"}} {
		if reply := d.call(t, args...); len(reply.Exec) != 0 || reply.Status != 1 || !strings.Contains(reply.Stderr, "supported are") {
			t.Errorf("%v: %+v", args, reply)
		}
	}
}

func TestLocks_EachVerdictBecomesItsAnswer(t *testing.T) {
	place := kamal.LockPlace{Host: "h", Dir: ".kamal/lock-app"}
	look := kamal.LookCommand("x")
	marker := strings.TrimSuffix(look[strings.Index(look, `echo "`)+len(`echo "`):], "")
	marker, _, _ = strings.Cut(marker, `"`)
	there := marker + "\nLocked by: me\n"
	c := &clerk{}
	d := newDesk(Options{Locks: c})
	ask := func(l lockRequest) *lockReply {
		l.Place = place
		reply, ok := d.lock(t.Context(), &l).(*lockReply)
		if !ok {
			t.Fatalf("%+v is not understood", l)
		}
		return reply
	}
	if got := ask(lockRequest{Event: "taking"}); got.Look != kamal.LookCommand(place.Dir) {
		t.Errorf("%+v", got)
	}
	ask(lockRequest{Event: "taken"})
	ask(lockRequest{Event: "released"})
	if got := ask(lockRequest{Event: "release"}); got.Command != kamal.ReleaseCommand(place.Dir, "") {
		t.Errorf("%+v", got)
	}
	ask(lockRequest{Event: "ran"})
	if got := *ask(lockRequest{Event: "held", Output: "nothing"}); got != (lockReply{}) {
		t.Errorf("no lock is there, and %+v", got)
	}
	c.verdict = Verdict{Wait: 1500 * time.Millisecond}
	if got := *ask(lockRequest{Event: "held", Output: there, Patience: 2.5}); got != (lockReply{Do: "wait", Seconds: 1.5}) {
		t.Errorf("%+v", got)
	}
	c.verdict = Verdict{Release: "nonce", Wait: time.Second}
	if got := *ask(lockRequest{Event: "held", Output: there}); got != (lockReply{Do: "release", Command: kamal.ReleaseCommand(place.Dir, "nonce")}) {
		t.Errorf("%+v", got)
	}
	c.verdict = Verdict{Stop: problem.New("another has it", ""), Release: "nonce"}
	if got := *ask(lockRequest{Event: "held", Output: there}); got != (lockReply{Do: "stop", Why: "another has it"}) {
		t.Errorf("%+v", got)
	}
	c.verdict = Verdict{}
	if got := *ask(lockRequest{Event: "held", Output: there}); got != (lockReply{}) {
		t.Errorf("%+v", got)
	}
	want := []string{"taking h", "taken h", "released h", "ran h", "held h 2.5s", "held h 0s", "held h 0s", "held h 0s"}
	if !slices.Equal(c.told, want) {
		t.Errorf("told are %q", c.told)
	}
	if got := d.say(t, `{"lock":{"event":"nonsense"}}`); !strings.Contains(got, "not understood") {
		t.Errorf("%s", got)
	}
}

func TestIsTag(t *testing.T) {
	for _, version := range []string{"v1", "a", "z", "A", "Z", "0", "9", "_x", "a.b-c", strings.Repeat("a", 128)} {
		if !isTag(version) {
			t.Errorf("%q is no tag", version)
		}
	}
	for _, version := range []string{"", ".a", "-a", "a b", "a/b", "a:b", "a$b", "é", "a`", "a{", "a@", "a[", strings.Repeat("a", 129)} {
		if isTag(version) {
			t.Errorf("%q is a tag", version)
		}
	}
	for version, want := range map[string]string{"v1": "v1", "v1_replaced_0f": "v1", "_replaced_0f": "", "$(x)_replaced_0f": ""} {
		if got := plainVersion(version); got != want {
			t.Errorf("%q is %q", version, got)
		}
	}
}

// The login of a registry is masked before anybody has it.
func TestAnswer_TheRegistrysLoginIsMasked(t *testing.T) {
	var told []RegistryLogin
	var masked []string
	full := false
	d := newDesk(Options{
		Mask: func(secrets []mask.Secret) error {
			if full {
				return errors.New("no disk")
			}
			for _, s := range secrets {
				masked = append(masked, s.Reveal())
			}
			return nil
		},
		RegistryLogin: func(l RegistryLogin) {
			if len(masked) == 0 && l.Password.Len() > 0 {
				t.Error("it is not masked yet")
			}
			told = append(told, l)
		},
	})
	for _, step := range []struct {
		line, want string
		full       bool
	}{
		{line: `{"registry":{"username":"u","password":"cA=="}}`, want: `{}`},
		{line: `{"registry":{"username":"","password":""}}`, want: `{}`},
		{line: `{"registry":{"username":"u","password":"cA=="}}`, want: `{"stop":"no disk"}`, full: true},
	} {
		full = step.full
		if got := d.say(t, step.line); got != step.want {
			t.Errorf("%s: %s", step.line, got)
		}
	}
	if len(told) != 2 || told[0].Username != "u" || told[0].Password.Reveal() != "p" || told[1].Username != "" || told[1].Password.Len() > 0 || len(masked) != 1 {
		t.Errorf("%+v, %q", told, masked)
	}
}
