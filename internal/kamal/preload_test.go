package kamal

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every file of the preload is a part of it, once, and can be read by itself.
func TestPreload_HasEveryPart(t *testing.T) {
	entries, err := preloadParts.ReadDir("preload")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, entry := range entries {
		files = append(files, strings.TrimSuffix(entry.Name(), ".rb"))
		text, err := preloadParts.ReadFile("preload/" + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), frozenStrings) {
			t.Errorf("%s does not begin with %q", entry.Name(), frozenStrings)
		}
		if lines := strings.Count(string(text), "\n"); lines > 400 {
			t.Errorf("%s has %d lines: it is more than one concern", entry.Name(), lines)
		}
	}
	if order := slices.Sorted(slices.Values(preloadOrder())); !slices.Equal(order, files) {
		t.Errorf("the preload is put together from %v, there are %v", order, files)
	}
	whole, err := preload()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(whole), frozenStrings); n != 1 {
		t.Errorf("the preload says %d times that its strings are frozen", n)
	}
}

// What each part does by itself, in Ruby with Kamal loaded: an expression that is
// true.
func TestPreload_PassesItsRubyTests(t *testing.T) {
	if *realKamal == "" {
		t.Skip("runs with -kamal PATH, in the Kamal image")
	}
	parts := map[string]string{
		"kamal": `KamalOp.send(:part, "a part") { KamalOp.known(false, "it is otherwise") } &&
			KamalOp.send(:part, "a name") { NoSuchThing } &&
			KamalOp.instance_variable_get(:@aside).map(&:last) == [ "it is otherwise", "a name that it is written for is not there (NoSuchThing)" ]`,
		"broker": `KamalOp.decode(KamalOp.encode("\xFF\n").b) .b == "\xFF\n".b && begin
			KamalOp.ask("hello", {})
		rescue Kamal::ConfigurationError => e
			e.message.include?("cannot be asked") && KamalOp.tell("hello", {}).nil?
		end`,
		"hosts": `KamalOp.send(:target, "h.example", "deploy", { config: false, port: 2222 }).values_at(:host, :port, :user, :jump) == [ "h.example", 2222, "deploy", "" ] &&
			!KamalOp.pinned?({}) && KamalOp.connecting("h.example", "deploy", {}) == {}`,
		"secrets": `KamalOp.evaluation.nil? && KamalOp.evaluating { |e| KamalOp.evaluation.equal?(e) } && KamalOp.evaluation.nil? && begin
			KamalOp.instance_variable_set(:@declared, { "PART_A" => "v", "PART_B" => "a\0b" })
			KamalOp.with_declared { ENV.values_at("PART_A", "PART_B") } == [ "v", nil ] && !ENV.key?("PART_A")
		end`,
		"uses": `KamalOp::Uses.of({ "env" => { "secret" => [ "A:B" ], "clear" => { "C" => "op://v/i/f" } }, "registry" => { "password" => [ "P" ] } })
			.map { |u| u.values_at(:name, :key) } == [ [ "B", "env.secret" ], [ "P", "registry.password" ] ] && KamalOp::Uses.literals.map { |l| l[:key] } == [ "env.clear.C" ]`,
		"evaluation": `begin
			e = KamalOp::Evaluation.new
			e.file
			e.name = "S"
			shown = e.run("printf '%s\n\n' 'a$b'")
			shown != "a$b\n" && e.finish(shown) == "a$b\n" && e.troubles("S") == []
		end`,
		"fidelity": `KamalOp::Fidelity.install && Dotenv::Parser.new("A=$B", overwrite: true).respond_to?(:call) &&
			Dotenv::Parser.ancestors.include?(KamalOp::Fidelity::Parsed)`,
		"lock":  `KamalOp::DeployLock.attach(Kamal::Cli::Base) && Kamal::Commands::Lock.ancestors.include?(KamalOp::DeployLock::Marked) && !KamalOp::DeployLock.acquiring?`,
		"boots": `KamalOp::Boots.install && Kamal::Cli::App::Boot.ancestors.include?(KamalOp::Boots::Told) && !KamalOp::Boots.roll_back? && "v1_replaced_0af".sub(KamalOp::Boots::REPLACED, "") == "v1"`,
		"history": `begin
			KamalOp::History.install
			Kamal::Cli::Main.ancestors.include?(KamalOp::History::Kept) && KamalOp::History.quoted("it's $A") == "'it'\\''s $A'" &&
				KamalOp::History::PATIENCE["cancelled"] < 3 && !KamalOp::History.on
		end`,
		"exact": `begin
			KamalOp::ExactValues.install
			env = ->(values) { Kamal::Configuration::Env.new(config: { "secret" => values.keys + [ "AS:" + values.keys.first ] }, secrets: values) }
			plain = env.({ "A" => "a$'", "B" => "b" }).secrets_io.read
			KamalOp::ExactValues.wanted = [ "A" ]
			io = env.({ "A" => "it's\n", "B" => "b\\" }).secrets_io
			KamalOp::ExactValues.wanted = nil
			plain == "A=a$'\nB=b\nAS=a$'\n" && io.read == "A=it's\\n\nB=b\\\\\nAS=it's\\n\n" &&
				io.beside == "# A AS\nshift 2\nset -- docker run --env A --env AS \"$@\"\nexport A='it'\\''s\n'\nexport AS='it'\\''s\n'\n" &&
				KamalOp::ExactValues.without(KamalOp::ExactValues.reading("f", [ :docker, :run ])) == [ :docker, :run ]
		end`,
		"fresh": `begin
			KamalOp::FreshEnv.install
			role = Struct.new(:to_s).new("web")
			path = KamalOp::FreshEnv.send(:file, Struct.new(:to_s, :secrets_path).new("web", "env/web.env"), "h1")
			Kamal::Commands::App.ancestors.first == KamalOp::FreshEnv::OwnFile && Kamal::Cli::App.ancestors.include?(KamalOp::FreshEnv::Exec) &&
				path.match?(/\Aenv\/web\.env\.\h{16}\z/) && KamalOp::FreshEnv.take(role, "h2").nil? && KamalOp::FreshEnv.take(role, "h1") == path && KamalOp::FreshEnv.take(role, "h1").nil?
		end`,
		"reuse": `begin
			KamalOp::Reuse.install
			config = Kamal::Configuration.new({ service: "a", image: "a", servers: [ "192.0.2.1" ], registry: { "username" => "u", "password" => "p" },
				builder: { "arch" => "amd64", "driver" => "docker" } }, version: "v1")
			line = -> { Kamal::Commands::Builder::Local.new(config).send(:build_labels) }
			KamalOp::Reuse.define_singleton_method(:inputs) { [ "0123", nil ] }
			plain = line.call
			KamalOp::Reuse.on = true
			labelled = line.call
			KamalOp::Reuse.define_singleton_method(:inputs) { [ nil, "there are uncommitted changes" ] }
			plain.size == 2 && plain.first == "--label" && labelled == plain + [ "--label", "kamal-op.build=\"0123\"" ] && line.call == plain &&
				KamalOp::Reuse.why == "there are uncommitted changes" && Kamal::Cli::Build.ancestors.first == KamalOp::Reuse::Push
		ensure
			KamalOp::Reuse.on = false
		end`,
		"login": `KamalOp::LocalLogin.install && KamalOp::LocalLogin.passwords == {} && SSHKit::Backend::Local.ancestors.include?(KamalOp::LocalLogin::Run)`,
		"early": `begin
			e = KamalOp::Early
			e.instance_variable_set(:@waiting, true)
			e.watch
			left = []
			e.define_singleton_method(:leave) { |why| left << why }
			[ -> { system("true") }, -> { spawn("true") }, -> { %x(true) }, -> { Process.spawn("true") }, -> { IO.popen("true") },
			  -> { Kernel.system("true") }, -> { exec("true") }, -> { fork { exit!(0) } }, -> { Kernel.fork } ].each(&:call)
			said, $stderr = $stderr, StringIO.new
			e.over
			said, $stderr = $stderr.string, said
			said == "" && left.size == 9 && system("true") && %x(echo a) == "a
" && left.size == 9 && Kernel.instance_method(:system).owner == Kernel
		end`,
		"start": `defined?(KamalOp::SOCKET) && !Kamal::Cli::Base.ancestors.include?(KamalOp::Connecting)`,
	}
	path, err := WritePreload(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	script := "$PROGRAM_NAME = 'kamal'\nrequire 'kamal'\nrequire 'json'\nload ARGV.first\nresults = {}\n"
	for _, name := range append([]string{"start"}, preloadOrder()...) { // before others have changed Kamal
		expression, given := parts[name]
		if !given {
			t.Errorf("nothing is tried of the part %s", name)
		}
		script += "results['" + name + "'] ||= begin; (" + expression + ") ? 'yes' : 'no'; rescue StandardError => e; e.full_message(highlight: false); end\n"
	}
	script += "puts JSON.generate(results)\n"
	cmd := exec.CommandContext(t.Context(), "ruby", "-e", script, path)
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + t.TempDir(), "KAMAL_OP_BROKER=" + filepath.Join(t.TempDir(), "none")}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, err.(*exec.ExitError).Stderr) //nolint:forcetypeassert // Output gives no other
	}
	var results map[string]string
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, result := range results {
		if result != "yes" {
			t.Errorf("%s: %s", name, result)
		}
	}
}
