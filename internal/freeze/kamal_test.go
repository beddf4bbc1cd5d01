package freeze_test

import (
	"flag"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/freeze"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

var realKamal = flag.String("kamal", "", "path of a real Kamal to test with")

// Every host that a command may lock is asked, and one that is down keeps no other from
// being told of; the end of a run is that.
func TestKamal_tellsTheLocksOfAllHosts(t *testing.T) {
	w := testkit.NewWorkshop(t, *realKamal, map[string]string{"freeze.rb": freeze.Preload(), "config/deploy.yml": "service: app\nimage: app\nservers:\n  web: [192.0.2.1, 192.0.2.2]\n  jobs: [192.0.2.2]\naccessories: {db: {image: db, host: 192.0.2.3}}\nregistry: {username: u, password: p}\nbuilder: {arch: amd64}\n"})
	const script = `require "./freeze.rb"; require "kamal"
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
		puts KamalOpFreeze.hosts.join(" "), KamalOpHosts.version("?")
		says.update("192.0.2.1" => "a lock\n", "192.0.2.2" => IOError.new("closed\nand more"), "192.0.2.3" => ->(command) { command })
		cli.kamal_op_locks
		ENV.key?("KAMAL_OP_FREEZE").then { |there| puts there }
		[ KamalOp::Cancelled.new("over"), Kamal::ConfigurationError.new("wrong") ].each do |error|
			says["192.0.2.2"] = error
			cli.kamal_op_locks
			puts "went on"
		rescue KamalOp::Cancelled, Kamal::ConfigurationError => e
			puts e.message
		end

		# Each host's lock is taken by itself, and all of them are kept.
		took, kept = [], nil
		lock = Module.new
		lock.define_singleton_method(:acquire) { |c, &block| block.call }
		lock.define_singleton_method(:mark) { { "message" => "frozen" } }
		lock.define_singleton_method(:place) { took.last }
		lock.define_singleton_method(:kept) { |places| kept = places }
		KamalOp::DeployLock = lock
		%i[ ensure_run_directory kamal_op_locks ].each { |name| cli.define_singleton_method(name) {} }
		cli.define_singleton_method(:raise_if_locked) { |&block| block.call }
		cli.define_singleton_method(:on) do |host, &block|
			run = Object.new
			run.define_singleton_method(:execute) { |*words, **| took << "#{host} of #{KAMAL.primary_host}: #{words.join(" ")[/mkdir \S+/]}" }
			run.instance_exec(&block)
		end
		cli.kamal_op_freeze
		puts kept == took, took`
	const want = `192.0.2.1 192.0.2.2 192.0.2.3
v1
@kamal-op-locks {"dir":".kamal/lock-app","destination":"","places":[{"host":"192.0.2.1","output":"YSBsb2NrCg=="},{"host":"192.0.2.2","why":"IOError: closed"},{"host":"192.0.2.3","output":"bHMgLmthbWFsL2xvY2stYXBw"}]}
false
over
wrong
true
192.0.2.1 of 192.0.2.1: mkdir .kamal/lock-app
192.0.2.2 of 192.0.2.2: mkdir .kamal/lock-app
`
	if diff := cmp.Diff(want, w.Ruby(script, `KAMAL_OP_FREEZE={"look":"ls","hosts":["192.0.2.1","192.0.2.2"]}`)); diff != "" {
		t.Error(diff)
	}
}
