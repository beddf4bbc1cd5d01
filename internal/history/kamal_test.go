package history_test

import (
	"flag"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/history"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

var realKamal = flag.String("kamal", "", "path of a real Kamal to test with")

// Each host says what it has kept and what it has of each role, and one that is down keeps
// no other from being told of.
func TestKamal_tellsTheHistoryOfAllHosts(t *testing.T) {
	w := testkit.NewWorkshop(t, *realKamal, map[string]string{"history.rb": history.Preload(), "config/deploy.yml": "service: app\nimage: app\nservers:\n  web: [192.0.2.1, 192.0.2.2]\n  jobs: [192.0.2.2]\naccessories: {db: {image: db, host: 192.0.2.3}}\nregistry: {username: u, password: p}\nbuilder: {arch: amd64}\n"})
	const script = `require "./history.rb"; require "kamal"
		module KamalOp
			class Cancelled < StandardError; end
		end
		KAMAL.configure(config_file: Pathname.new("config/deploy.yml"), destination: nil, version: "v1")
		cli = Kamal::Cli::Main.allocate
		# What a host says, in place of a connection to it.
		says = {}
		cli.define_singleton_method(:on) do |hosts, &block|
			hosts.each do |name|
				host = Object.new
				host.define_singleton_method(:capture) do |*words, **|
					answer = says.fetch(name)
					raise answer if answer.is_a?(Exception)
					answer.respond_to?(:call) ? answer.call(words.join(" ")) : answer
				end
				host.instance_exec(name, &block)
			end
		end
		asked = nil
		says["192.0.2.1"] = ->(command) do
			next "a line\n" if command.start_with?("grep")
			asked ||= command
			"running app-web-v2\nexited app-web-v1\nrestarting app-web-v3\ncreated app-webby-v0\nexited other\ndead app-web-v0\n"
		end
		says["192.0.2.2"] = IOError.new("closed\nand more")
		cli.kamal_op_history
		puts asked
		says["192.0.2.1"] = says["192.0.2.2"] = ""
		cli.kamal_op_history
		[ KamalOp::Cancelled.new("over"), Kamal::ConfigurationError.new("wrong") ].each do |error|
			says["192.0.2.2"] = error
			cli.kamal_op_history
			puts "went on"
		rescue KamalOp::Cancelled, Kamal::ConfigurationError => e
			puts e.message
		end`
	const want = `@kamal-op-history {"service":"app","destination":"","hosts":[{"host":"192.0.2.2","why":"IOError: closed"},{"host":"192.0.2.1","log":"YSBsaW5lCg==","roles":[{"role":"web","runs":["v2","v3"],"others":["v1","v0"]}]}]}
docker ps --all --filter label=service=app --filter label=destination= --filter label=role=web --format '{{.State}} {{.Names}}'
@kamal-op-history {"service":"app","destination":"","hosts":[{"host":"192.0.2.2","log":"","roles":[{"role":"web","runs":[],"others":[]},{"role":"jobs","runs":[],"others":[]}]},{"host":"192.0.2.1","log":"","roles":[{"role":"web","runs":[],"others":[]}]}]}
over
wrong
`
	if diff := cmp.Diff(want, w.Ruby(script)); diff != "" {
		t.Error(diff)
	}
}
