package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kamal-op/kamal-op/internal/plan"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

// report is what Kamal's process writes of one container, with further options of
// `docker run`, variables of the container and the engine's settings.
func report(options, host, container string) string {
	return `  INFO something of Kamal's
@kamal-op-plan {"service":"app","version":"v2","repository":"r/app","image":false,"versions":["v1"],"commits":{"v1":{"list":null,"why":"no commit"}},"former":true,"hosts":[
{"host":"10.0.0.1","named":true,"home":"/root","containers":[{"role":"web","prefix":"app-web","proxy":null,
"want":{"options":[["detach",null],["restart","unless-stopped"],["name","app-web-v2"],["network","kamal"],["env","KAMAL_VERSION=v2"]` + options + `],"image":"r/app:v2","cmd":[],"secrets":["A"]},
"has":{"name":"/app-web-v1","created":"2026-11-22T01:02:03.5Z","image":"r/app:v1","labels":{"of":"image"},"cmd":["run"],"of_image":{"labels":{"of":"image"},"cmd":["run"],"user":"app","variables":["PATH",""]},
"user":"app","env_file":true,"clear":{},"secrets":{"A":"equal"},"others":["PATH","KAMAL_VERSION"],"host":{"NetworkMode":"kamal","RestartPolicy":{"Name":"unless-stopped"}` + host + `}` + container + `}}],"running":[]}]}
more
`
}

func parsed(t *testing.T, out string) plan.Plan {
	t.Helper()
	// The report is one line.
	head, rest, _ := strings.Cut(out, "\n")
	o, err := plan.Parse([]byte(head + "\n" + strings.ReplaceAll(strings.TrimSuffix(rest, "more\n"), "\n", "") + "\nmore\n"))
	if err != nil {
		t.Fatal(err)
	}
	return plan.Of(o)
}

// What deploy.yml says and what the engine keeps are written in different ways: each
// option is held against it by what it means.
func TestOf_comparesOptionsByWhatTheyMean(t *testing.T) {
	for name, test := range map[string]struct {
		options, host, container string
		want                     []string // changes as "what name from → to"
	}{
		"nothing":                  {"", "", "", nil},
		"memory":                   {`,["memory","512m"]`, `,"Memory":536870912`, "", nil},
		"memory, another":          {`,["memory","1g"]`, `,"Memory":536870912`, "", []string{"other --memory 512m → 1g"}},
		"memory, gone":             {"", `,"Memory":536870912`, "", []string{"gone --memory 512m → "}},
		"memory, in bytes":         {`,["m","536870912"]`, `,"Memory":536870912`, "", nil},
		"cpus":                     {`,["cpus","1.5"]`, `,"NanoCpus":1500000000`, "", nil},
		"published":                {`,["publish","127.0.0.1:3306:3306"]`, `,"PortBindings":{"3306/tcp":[{"HostIp":"127.0.0.1","HostPort":"3306"}]}`, "", nil},
		"published, to all":        {`,["publish","3306:3306"]`, `,"PortBindings":{"3306/tcp":[{"HostIp":"127.0.0.1","HostPort":"3306"}]}`, "", []string{"other --publish 127.0.0.1:3306:3306/tcp → :3306:3306/tcp"}},
		"published, by UDP":        {`,["publish","53:53/udp"]`, `,"PortBindings":{"53/udp":[{"HostIp":"","HostPort":"53"}]}`, "", nil},
		"a volume below home":      {`,["volume","$PWD/app/data:/data"]`, `,"Binds":["/root/app/data:/data"]`, "", nil},
		"a capability":             {`,["cap-add","sys_ptrace"]`, `,"CapAdd":["CAP_SYS_PTRACE"]`, "", nil},
		"restarted in another way": {`,["restart","always"]`, "", "", []string{"new --restart  → always"}},
		"never restarted":          {`,["restart","no"]`, "", "", nil},
		"another log":              {`,["log-driver","local"]`, `,"LogConfig":{"Type":"json-file"}`, "", []string{"other --log-driver json-file → local"}},
		"published on IPv6":        {`,["publish","[::1]:80:80"]`, `,"PortBindings":{"80/tcp":[{"HostIp":"::1","HostPort":"80"}]}`, "", nil},
		"an old secret":            {"", "", `,"secrets":{"A":"stale"}`, []string{"other A  → "}},
		"a secret, and in clear":   {`,["env","A=1"]`, "", "", nil},
		"ulimit":                   {`,["ulimit","nofile=1024"]`, `,"Ulimits":[{"Name":"nofile","Soft":1024,"Hard":1024}]`, "", nil},
		"a flag":                   {`,["privileged",null]`, "", "", []string{"new --privileged  → true"}},
		"a label of the image's":   {`,["label","of=image"]`, "", "", nil},
		"a log's size":             {`,["log-opt","max-size=10m"]`, `,"LogConfig":{"Type":"json-file","Config":{"max-size":"10m"}}`, "", nil},
		"the engine's own log":     {"", `,"LogConfig":{"Type":"journald","Config":{"tag":"x"}}`, "", nil},
		"another user":             {`,["user","root"]`, "", "", []string{"new --user  → root"}},
		"a new clear variable":     {`,["env","B=1"]`, "", "", []string{"new B  → 1"}},
		"one that was a secret":    {`,["env","PATH=1"]`, "", "", []string{"other PATH  → 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := parsed(t, report(test.options, test.host, test.container))
			if len(p.Containers) != 1 || !p.Changes {
				t.Fatalf("%+v", p)
			}
			var got []string
			for _, c := range p.Containers[0].Changes {
				if c.Kind != "version" {
					got = append(got, c.What+" "+c.Name+" "+c.From+" → "+c.To)
				}
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// What a deploy has told kamal-proxy is what it has, with kamal-proxy's own defaults:
// with TLS it forwards no headers, and sends what comes without to it.
func TestOf_knowsTheProxysDefaults(t *testing.T) {
	proxy := `{"want":{"host":["a.example"],"tls":true},"has":{"options":{"hosts":["a.example"],"path_prefixes":["/"],"tls_enabled":true},"target_options":{"health_check_config":` +
		`{"path":"/up","interval":1000000000,"timeout":5000000000},"response_timeout":30000000000,"max_memory_buffer_size":1048576}}}`
	of := func(proxy string) (changes []plan.Change) {
		for _, c := range parsed(t, strings.Replace(report("", "", ""), `"proxy":null`, `"proxy":`+proxy, 1)).Containers[0].Changes {
			if c.Kind == "proxy" {
				changes = append(changes, c)
			}
		}
		return changes
	}
	if got := of(proxy); len(got) > 0 {
		t.Errorf("%+v", got)
	}
	got := of(strings.NewReplacer(`"tls":true`, `"tls-redirect":false,"tls":true`, `"response_timeout"`, `"forward_headers":true,"response_timeout"`).Replace(proxy))
	want := []plan.Change{{Kind: "proxy", Name: "tls-redirect", From: "true", To: "false", What: "other"}, {Kind: "proxy", Name: "forward-headers", From: "true", To: "false", What: "other"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A host that does not answer is told, and a container that deploy.yml does not name is
// a change.
func TestOf_tellsWhatIsBesideTheContainers(t *testing.T) {
	for hosts, want := range map[string]plan.Plan{
		`{"host":"h","error":"no route"}`:                                          {Unreached: []plan.Unreached{{Host: "h", Why: "no route"}}},
		`{"host":"h","named":true,"running":[{"name":"app-job-v1","role":"job"}]}`: {Changes: true, Stray: []plan.Stray{{Host: "h", Name: "app-job-v1", Role: "job", Why: "deploy.yml does not have the role on this host"}}},
		`{"host":"h","running":[{"name":"app-web-v1","role":"web"}]}`:              {Changes: true, Stray: []plan.Stray{{Host: "h", Name: "app-web-v1", Role: "web", Why: "deploy.yml does not name the host any more"}}},
	} {
		o, err := plan.Parse([]byte(`@kamal-op-plan {"hosts":[` + hosts + "]}\n"))
		if err != nil {
			t.Fatal(err)
		}
		p := plan.Of(o)
		got := plan.Plan{Changes: p.Changes, Unreached: p.Unreached, Stray: p.Stray}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Error(d)
		}
	}
}

// What cannot be compared is said, and not taken for equal.
func TestOf_saysWhatIsNotCompared(t *testing.T) {
	p := parsed(t, report(`,["gpus","all"],["env","HOST=${HOSTNAME}"],["add-host","a:${IP}"]`, "", ""))
	if d := cmp.Diff([]string{"--add-host", "--gpus", "HOST"}, p.Containers[0].NotCompared); d != "" {
		t.Error(d)
	}
}

// The text tells a person what the JSON tells a program, and shows no byte that a
// terminal would obey.
func TestPlan_Text(t *testing.T) {
	out := report(`,["env","B=\u001b[2Jx"]`, "", "")
	text := parsed(t, out).Text(false)
	for _, want := range []string{"version: v1 → v2, commits unknown: no commit", "r/app:v2 is to be built", "10.0.0.1, role web: app-web-v1 → app-web-v2", "  + B: ", "1 container differs"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Errorf("%q", text)
	}
}

// The old value of a variable that could have been a secret is not known, and neither
// taken for equal nor for a change.
func TestOf_saysWhatIsNotKnown(t *testing.T) {
	out := strings.Replace(report(`,["env","PATH=1"],["env","NEW=1"]`, "", ""), `"env_file":true`, `"env_file":false`, 1)
	p := parsed(t, strings.Replace(out, `"former":true`, `"former":false,"former_unknown":"of another \u001bbranch"`, 1))
	if d := cmp.Diff([]string{"PATH"}, p.Containers[0].NotKnown); d != "" {
		t.Error(d)
	}
	for _, c := range p.Containers[0].Changes {
		if c.Name == "PATH" || c.Name == "NEW" && c.What != "new" {
			t.Errorf("%+v", c)
		}
	}
	text := p.Text(false)
	for _, want := range []string{"? not known, since Kamal's env file there is not the container's: PATH\n", "not compared\n  of another \\x1bbranch\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// What git or a registry says is shown as text, and not obeyed by a terminal.
func TestPlan_Text_showsWhatOthersSay(t *testing.T) {
	out := strings.Replace(report("", "", ""), `"why":"no commit"`, `"why":"git says \u001b[2J"`, 1)
	out = strings.Replace(out, `"image":false`, `"image":null,"image_unknown":"\u001b[2J"`, 1)
	if text := parsed(t, out).Text(false); strings.Contains(text, "\x1b") || !strings.Contains(text, "commits unknown: git says") {
		t.Errorf("%q", text)
	}
}

// No text of a plan, wherever it comes from, is obeyed by a terminal.
func TestPlan_Text_showsEveryText(t *testing.T) {
	for _, change := range []func(*plan.Plan){
		func(*plan.Plan) {},
		func(p *plan.Plan) { p.Image.State = plan.ToBeBuilt },
		func(p *plan.Plan) { p.Containers[0].From, p.Containers[0].Changes = "", nil },
		func(p *plan.Plan) { p.Containers[0].Accessory = "" },
		func(p *plan.Plan) { p.Containers[0].To, p.Containers[0].Role = p.Containers[0].From+"2", "" },
	} {
		var p plan.Plan
		testkit.FillWithObeyed(&p)
		change(&p)
		if text := p.Text(false); strings.ContainsAny(text, "\x1b\r") || !strings.Contains(text, `\x1b[2J`) {
			t.Errorf("%q", text)
		}
	}
}

func TestParse_refuses(t *testing.T) {
	for _, wrong := range []string{
		"", "INFO nothing\n", "x @kamal-op-plan {}\n", "@kamal-op-plan {\n",
		`@kamal-op-plan {"hosts":[{"containers":[{"has":{"name":"a\u001b[2J"}}]}]}` + "\n",
	} {
		if got, err := plan.Parse([]byte(wrong)); err == nil {
			t.Errorf("%q gives %+v", wrong, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(report(`,["memory","1g"]`, "", "")))
	f.Add([]byte("@kamal-op-plan {}\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		o, err := plan.Parse(out)
		if err != nil {
			return
		}
		if text := plan.Of(o).Text(false); strings.Contains(text, "\x1b") {
			t.Errorf("%q", text)
		}
	})
}
