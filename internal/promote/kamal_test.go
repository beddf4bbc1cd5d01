package promote_test

import (
	"encoding/json"
	"flag"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/promote"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

var realKamal = flag.String("kamal", "", "path of a real Kamal to test with")

func needKamal(t *testing.T, files map[string]string) testkit.Workshop {
	t.Helper()
	return testkit.NewWorkshop(t, *realKamal, files)
}

// What an image is built of is told by digests that are equal where Kamal builds alike,
// and that hold no value.
func TestKamal_tellsBuildsByDigests(t *testing.T) {
	base := "service: app\nimage: app\nservers: [192.0.2.1]\nregistry: {username: u, password: p}\n"
	files := map[string]string{
		"look.rb": promote.Preload(), "config/deploy.yml": base,
		"config/deploy.one.yml":   "builder: {arch: amd64, args: {A: 1, N: null}, secrets: [S]}\n",
		"config/deploy.two.yml":   "builder: {arch: [amd64], args: {A: \"1\", N: null}, secrets: [S]}\n",
		"config/deploy.three.yml": "builder: {arch: [amd64, arm64], args: {A: \"\", N: \"\"}, secrets: [S], target: t}\n",
		".kamal/secrets.one":      "S=a-value\n", ".kamal/secrets.two": "S=a-value\n", ".kamal/secrets.three": "S=another-value\n",
	}
	w := needKamal(t, files)
	build := func(destination, key string) (b promote.Build) {
		out := w.Ruby(`require "./look.rb"; require "kamal"; KAMAL.configure(config_file: Pathname.new("config/deploy.yml"), destination: "`+destination+`", version: "v1")
			puts JSON.generate(KamalOpPromote.build(KAMAL.config.builder))`, promote.KeyVariable+"="+key)
		if strings.Contains(out, "a-value") {
			t.Errorf("a value: %s", out)
		}
		if err := json.Unmarshal([]byte(out), &b); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return b
	}
	one := build("one", "k")
	if d := one.Differences(build("two", "k")); len(d) > 0 {
		t.Errorf("one and two differ by %q", d)
	}
	if d := one.Differences(build("three", "k")); !slices.Equal(d, []string{"builder.args.A", "builder.args.N", "builder.secrets S", "builder.arch", "builder.target"}) {
		t.Errorf("one and three differ by %q", d)
	}
	if d := one.Differences(build("one", "other")); len(d) == 0 {
		t.Error("another key gives the same digests")
	}
}

// A deploy is held to the image: before anything is booted, whichever way it comes there.
func TestKamal_isHeldToTheImage(t *testing.T) {
	w := needKamal(t, map[string]string{"hold.rb": promote.Hold()})
	const script = `require "./hold.rb"; require "kamal"
		{ Kamal::Cli::Build => KamalOpPromoted::Pull, Kamal::Cli::App => KamalOpPromoted::Boot }.each { |cli, part| puts cli.ancestors.index(part) < cli.ancestors.index(cli) }
		puts Kamal::Cli::Build.commands.key?("pull") && Kamal::Cli::App.commands.key?("boot")
		# What a host says, in place of a connection to it.
		host = Struct.new(:says) { def capture(*, **) = says }
		cli = Struct.new(:says) { define_method(:on) { |hosts, &block| hosts.each { |name| host.new(says[name]).instance_exec(name, &block) } } }
		config = Struct.new(:absolute_image)
		KAMAL.define_singleton_method(:config) { config.new("r/app:v1") }
		KAMAL.define_singleton_method(:app_hosts) { %w[ h1 h2 ] }
		hold = ->(one, two) do
			KamalOpPromoted.hold(cli.new({ "h1" => one, "h2" => two }))
			puts "held"
		rescue KamalOpPromoted::Moved => e
			puts e.message
		end
		hold.("sha256:a", "sha256:x r/app@sha256:d other/app@sha256:y")
		hold.("sha256:a", "sha256:x r/app@sha256:e")
		hold.("", "sha256:x")
		# Another name: of a hook's own Kamal it is another app, of the promotion's it is none.
		KAMAL.define_singleton_method(:config) { config.new("r/app:v0") }
		hold.("sha256:a", "sha256:a")
		ENV["KAMAL_OP_PROMOTING"] = "1"
		hold.("", "")
		KAMAL.define_singleton_method(:config) { config.new("r/app:v1") }
		hold.("", "sha256:a")`
	const want = `true
true
true
held
on h2 r/app:v1 is another image than the one that staging runs: nothing is booted
on h1, h2 r/app:v1 is another image than the one that staging runs: nothing is booted
the configuration names r/app:v0 now, and not r/app:v1, which is promoted: nothing is booted
held
on h1 r/app:v1 is another image than the one that staging runs: nothing is booted
`
	out := w.Ruby(script, `KAMAL_OP_PROMOTED={"name":"r/app:v1","from":"staging","ids":["sha256:a"],"digests":["sha256:d"]}`)
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
}

// The registry's login goes to the run by its socket, and nowhere else; what the run says
// to it stops Kamal.
func TestKamal_tellsTheLoginOfTheRegistry(t *testing.T) {
	w := needKamal(t, map[string]string{"look.rb": promote.Preload(), "config/deploy.yml": "service: app\nimage: app\nservers: [192.0.2.1]\nregistry: {username: [U], password: [P]}\nbuilder: {arch: amd64}\n", ".kamal/secrets": "U=user\nP='pa\"ss'\n"})
	const script = `require "./look.rb"; require "kamal"
		module KamalOp
			class << self
				attr_accessor :reply
				def ask(what, content) = (@asked = [ what, content.transform_values(&:to_s) ]; reply)
				def encode(value) = [ value ].pack("m0")
				def stop(why) = raise(why)
				attr_reader :asked
			end
		end
		KAMAL.configure(config_file: Pathname.new("config/deploy.yml"), destination: nil, version: "v1")
		[ {}, { "stop" => "no disk" } ].each do |reply|
			KamalOp.reply = reply
			KamalOpPromote.tell_login(KAMAL.config.registry)
			puts JSON.generate(KamalOp.asked)
		rescue RuntimeError => e
			puts e.message
		end
		puts KamalOpPromote::COPIED.inspect, ENV.key?("` + promote.CopyVariable + `")`
	const want = `["registry",{"username":"user","password":"cGEic3M="}]` + "\nno disk\n\"1\"\nfalse\n"
	if diff := cmp.Diff(want, w.Ruby(script, promote.CopyVariable+"=1")); diff != "" {
		t.Error(diff)
	}
}
