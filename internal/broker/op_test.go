package broker_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/broker"
)

// production is an item as the walkthrough has it, with a section.
var production = map[string]item{"Production": {
	"RAILS_MASTER_KEY": "master-value", "EMPTY": "", "NEWLINE": "a\nb\n", "db/password": "db-value", "password": "item-password",
}}

const wantsMyApp = "A=$(op read op://MyApp/Production/RAILS_MASTER_KEY)\n"

const minimal = "service: app\nimage: me/app\nservers: [192.0.2.1]\nregistry: {username: me, password: [A]}\nbuilder: {arch: amd64}\n"

func minimalRun(t *testing.T, change ...func(*broker.Options)) *run {
	t.Helper()
	return start(t, map[string]string{"config/deploy.yml": minimal, ".kamal/secrets": wantsMyApp}, production, change...)
}

func TestOp_Read(t *testing.T) {
	r := minimalRun(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"read", "op://MyApp/Production/RAILS_MASTER_KEY"}, "master-value\n"},
		{[]string{"read", "-n", "op://MyApp/Production/RAILS_MASTER_KEY"}, "master-value"},
		{[]string{"read", "op://myapp/production/rails_master_key", "--no-newline"}, "master-value"},
		{[]string{"--account", "x", "read", "--account=x", "op://MyApp/Production/db/password"}, "db-value\n"},
		{[]string{"read", "op://MyApp/Production/NEWLINE"}, "a\nb\n\n"},
		{[]string{"read", "op://MyApp/Production/EMPTY"}, "\n"},
	} {
		stdout, stderr, status := r.op(test.args...)
		if stdout != test.want || stderr != "" || status != 0 {
			t.Errorf("op %v: %q, %q, %d", test.args, stdout, stderr, status)
		}
	}
	if !r.isMasked("master-value") || !r.isMasked("db-value") {
		t.Error("a value left the socket before it was masked")
	}
	if !r.told(broker.Lookup, "op read op://MyApp/Production/db/password") {
		t.Errorf("events: %v", r.events)
	}
	var items int
	for _, request := range r.vault.Requests() {
		if strings.Contains(request.Path, "/items/") {
			items++
		}
	}
	if items != 1 {
		t.Errorf("the item was fetched %d times", items)
	}
}

func TestOp_Failures(t *testing.T) {
	r := minimalRun(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"read", "op://MyApp/Production/RAILS_MASTER_KEI"}, "RAILS_MASTER_KEY"}, // the near miss
		{[]string{"read", "op://MyApp/Nothing/x"}, "Nothing"},
		{[]string{"read", "op://Private/Own/password"}, "--op-scope any"},
		{[]string{"read", "nonsense"}, "op://"},
		{[]string{"read"}, "takes one secret reference"},
		{[]string{"read", "--out-file", "f", "op://MyApp/Production/x"}, "--out-file is not supported"},
		{[]string{"item", "get", "Production"}, "a vault query must be provided"},
		{[]string{"item", "get", "Production", "--vault", "MyApp", "--fields", "label=RAILS_MASTER_KEY"}, "--reveal"},
		{[]string{"item", "get", "Production", "--vault", "MyApp", "--format", "json", "--fields", "label=A,label=B"}, "also: "},
		{[]string{"item", "get", "Own", "--vault", "Private", "--format", "json"}, "not one of this run's (MyApp)"},
		{[]string{"item", "create"}, "supported are"},
		{[]string{"--nonsense"}, "unknown flag: --nonsense"},
		{[]string{"read", "--vault"}, "flag needs an argument: --vault"},
		{[]string{}, "supported are"},
	} {
		stdout, stderr, status := r.op(test.args...)
		if status != 1 || stdout != "" || !strings.Contains(stderr, test.want) || !strings.HasPrefix(stderr, "[ERROR] 20") {
			t.Errorf("op %v: %q, %q, %d", test.args, stdout, stderr, status)
		}
		if strings.Contains(stderr, "not-for-this-run") {
			t.Errorf("op %v shows a value", test.args)
		}
	}
	if !r.told(broker.Failed, "not one of this run's") {
		t.Error("a refused lookup is no event")
	}
}

func TestOp_ScopeAny(t *testing.T) {
	r := minimalRun(t, func(o *broker.Options) { o.AnyVault = true })
	if stdout, stderr, status := r.op("read", "op://Private/Own/password"); status != 0 || stdout != "not-for-this-run\n" {
		t.Errorf("%q, %q, %d", stdout, stderr, status)
	}
}

func TestOp_ItemGet(t *testing.T) {
	r := minimalRun(t)
	type field struct{ Label, Value, Reference string }

	stdout, stderr, status := r.op("item", "get", "production", "--vault", "myapp", "--format=json", "--account", "a", "--fields", "label=RAILS_MASTER_KEY")
	var one field
	if err := json.Unmarshal([]byte(stdout), &one); err != nil || status != 0 {
		t.Fatalf("%v: %q, %q", err, stdout, stderr)
	}
	if diff := cmp.Diff(field{"RAILS_MASTER_KEY", "master-value", "op://myapp/production/RAILS_MASTER_KEY"}, one); diff != "" {
		t.Error(diff)
	}

	stdout, stderr, _ = r.op("item", "get", "--fields=label=db.password,label=EMPTY", "--vault=MyApp", "Production", "--format", "json", "--session", "s")
	var several []field
	if err := json.Unmarshal([]byte(stdout), &several); err != nil {
		t.Fatalf("%v: %q, %q", err, stdout, stderr)
	}
	want := []field{{"password", "db-value", "op://MyApp/Production/db/password"}, {"EMPTY", "", "op://MyApp/Production/EMPTY"}}
	if diff := cmp.Diff(want, several); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(stdout, `"value": ""`) {
		t.Error("an empty value is left out, which Kamal takes for a missing one")
	}

	stdout, stderr, _ = r.op("item", "get", "Production", "--vault", "MyApp", "--format", "json")
	var whole struct {
		Title  string
		Fields []field
	}
	if err := json.Unmarshal([]byte(stdout), &whole); err != nil {
		t.Fatalf("%v: %q, %q", err, stdout, stderr)
	}
	if whole.Title != "Production" || len(whole.Fields) != 5 {
		t.Errorf("%+v", whole)
	}

	stdout, _, _ = r.op("item", "get", "Production", "--vault", "MyApp", "--fields", "RAILS_MASTER_KEY,password", "--reveal")
	if stdout != "master-value,item-password\n" {
		t.Errorf("%q", stdout)
	}
}

func TestOp_Lists(t *testing.T) {
	r := minimalRun(t)
	stdout, _, status := r.op("vault", "list", "--format", "json")
	if status != 0 || !strings.Contains(stdout, "MyApp") || strings.Contains(stdout, "Private") {
		t.Errorf("vault list: %q", stdout)
	}
	stdout, _, status = r.op("item", "list", "--vault", "MyApp", "--format", "json")
	if status != 0 || !strings.Contains(stdout, `"title": "Production"`) {
		t.Errorf("item list: %q", stdout)
	}
	if _, stderr, status := r.op("item", "list", "--vault", "Private"); status != 1 {
		t.Errorf("item list of another vault: %q", stderr)
	}
	for _, args := range [][]string{{"--version"}, {"account", "get", "--account", "x"}, {"account", "list", "--format=json"}, {"whoami"}, {"signin", "--account", "x", "--force", "--raw"}} {
		if stdout, stderr, status := r.op(args...); status != 0 || stderr != "" {
			t.Errorf("op %v: %q, %q, %d", args, stdout, stderr, status)
		}
	}
}

func TestOp_Inject(t *testing.T) {
	r := minimalRun(t)
	r.env = append(r.env, "V=MyApp")
	template := "a={{ op://MyApp/Production/RAILS_MASTER_KEY }} b=op://$V/Production/db/password. c={{op://${V}/${I:-Production}/password}}; xop://no\n{{ other }}"
	stdout, stderr, status := r.command(template, "op", "inject")
	want := "a=master-value b=db-value. c=item-password; xop://no\n{{ other }}"
	if status != 0 || stdout != want {
		t.Errorf("%q, %q, %d", stdout, stderr, status)
	}
	if stdout, _, status = r.command("op://MyApp/Production/none and op://MyApp/None/x", "op", "inject"); status != 1 || stdout != "" {
		t.Errorf("of missing fields: %q, %d", stdout, status)
	}
}

func TestOp_Run(t *testing.T) {
	r := minimalRun(t)
	r.env = append(r.env, "PW=op://MyApp/Production/db/password", "V=MyApp", "Q=op://$V/Production/RAILS_MASTER_KEY", "PLAIN=x")
	stdout, stderr, status := r.command("in", "op", "run", "--no-masking", "--", "sh", "-c", `echo "$PW $Q $PLAIN $(cat)"; exit 7`)
	if stdout != "db-value master-value x in\n" || status != 7 {
		t.Errorf("%q, %q, %d", stdout, stderr, status)
	}
	if _, stderr, status = r.op("run", "--", "no-such-command"); status != 127 {
		t.Errorf("%q, %d", stderr, status)
	}
	r.env = append(r.env, "BAD=op://MyApp/Production/none")
	if stdout, stderr, status = r.op("run", "--", "echo", "ran"); status != 1 || stdout != "" || !strings.Contains(stderr, "BAD: ") {
		t.Errorf("%q, %q, %d", stdout, stderr, status)
	}
}

func TestOp_WorksWithAnEmptyEnvironment(t *testing.T) {
	r := minimalRun(t)
	path := r.Environment(nil)[0]
	stdout, stderr, status := r.command("", "env", "-i", path, "op", "read", "op://MyApp/Production/password")
	if status != 0 || stdout != "item-password\n" {
		t.Errorf("%q, %q, %d", stdout, stderr, status)
	}
	stdout, stderr, status = r.command("", "env", "-u", "KAMAL_OP_BROKER", "PATH=/usr/bin:/bin", strings.TrimPrefix(strings.Split(path, ":")[0], "PATH=")+"/op", "whoami")
	if status != 1 || stdout != "" || !strings.Contains(stderr, "no run") {
		t.Errorf("without a socket: %q, %q, %d", stdout, stderr, status)
	}
}

func TestOp_StartsTheRealOneInATerminal(t *testing.T) {
	cli := filepath.Join(t.TempDir(), "op")
	if err := os.WriteFile(cli, []byte("#!/bin/sh\necho real \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := minimalRun(t, func(o *broker.Options) { o.RealOp = cli })
	if stdout, stderr, status := r.op("item", "create", "--category=login"); status != 0 || stdout != "real item create --category=login\n" {
		t.Errorf("%q, %q, %d", stdout, stderr, status)
	}
	if _, stderr, status := r.op("read", "op://Private/Own/password"); status != 1 {
		t.Errorf("a refused lookup went to the real op: %q", stderr)
	}
}

func TestBroker_HasAPrivateSocketAndEnds(t *testing.T) {
	r := minimalRun(t)
	var socket string
	for _, entry := range r.env {
		if path, ok := strings.CutPrefix(entry, "KAMAL_OP_BROKER="); ok {
			socket = path
		}
	}
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	// A client that says nothing does not hold the end up.
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte(`{"op":`)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("unix", socket); err == nil {
		t.Error("the socket answers after its end")
	}
	if _, stderr, status := r.op("read", "op://MyApp/Production/password"); status != 1 || !strings.Contains(stderr, "is over") {
		t.Errorf("%q, %d", stderr, status)
	}
}

func TestBroker_ReadsOneByteAtATime(t *testing.T) {
	r := minimalRun(t)
	conn, err := net.Dial("unix", strings.TrimPrefix(r.env[len(r.env)-1], "KAMAL_OP_BROKER="))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, c := range []byte(`{"op":{"args":["read","-n","op://MyApp/Production/password"]}}` + "\n") {
		if _, err := conn.Write([]byte{c}); err != nil {
			t.Fatal(err)
		}
	}
	var reply struct{ Stdout []byte }
	if err := json.NewDecoder(conn).Decode(&reply); err != nil || string(reply.Stdout) != "item-password" {
		t.Errorf("%v, %v", reply, err)
	}
}

func TestBroker_RefusesNonsense(t *testing.T) {
	r := minimalRun(t)
	for _, text := range []string{"\n", "{}\n", "null\n", "[]\n", `{"op":5}` + "\n", "\x00\xff\n"} {
		conn, err := net.Dial("unix", strings.TrimPrefix(r.env[len(r.env)-1], "KAMAL_OP_BROKER="))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprint(conn, text); err != nil {
			t.Fatal(err)
		}
		var reply struct{ Error string }
		if err := json.NewDecoder(conn).Decode(&reply); err != nil || reply.Error == "" {
			t.Errorf("%q: %v, %v", text, reply, err)
		}
		_ = conn.Close()
	}
}
