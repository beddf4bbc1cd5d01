package rotate_test

import (
	"flag"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/rotate"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

var realKamal = flag.String("kamal", "", "path of a real Kamal to test with")

// What is chosen is booted as it was chosen, and only where it still runs: a host that is
// down, or one where another container runs by now, is another choice.
func TestKamal_bootsWhatWasChosen(t *testing.T) {
	w := testkit.NewWorkshop(t, *realKamal, map[string]string{"rotate.rb": rotate.Preload(), "config/deploy.yml": "service: app\nimage: app\nservers:\n  web: [192.0.2.1, 192.0.2.2]\n  jobs: {hosts: [192.0.2.2], env: {secret: [A]}}\nregistry: {username: u, password: p}\nbuilder: {arch: amd64}\nenv: {secret: [A]}\n", ".kamal/secrets": "A=a\n"})
	const script = `require "./rotate.rb"; require "kamal"
		module KamalOp
			class Cancelled < StandardError; end
			module Boots
				VERSION = /\A\w[\w.-]{0,160}\z/
				def self.flags(options) = [ "--destination=#{options[:destination]}" ]
			end
		end
		KAMAL.configure(config_file: Pathname.new("config/deploy.yml"), destination: nil, version: "v1")
		puts KamalOpRotate.words({ "role" => "web", "version" => "v1", "hosts" => [ { "host" => "h1" }, { "host" => "h2" } ] }, { destination: "d" }).join(" ")
		puts KamalOpRotate.words({ "accessory" => "db", "hosts" => [ { "host" => "h1" } ] }, { destination: "d" }).join(" ")
		# What docker says on a host, in place of a connection to it.
		backend = Struct.new(:says) { def capture(*words, **) = says[words[1] == "image" ? 1 : 0] }
		puts [ %w[ sha256:a sha256:a ], %w[ sha256:a sha256:b ], [ "sha256:a", "" ] ].map { |says| KamalOpRotate.other_image?(backend.new(says), "c", "v1") }.join(" ")

		cli = Kamal::Cli::Main.allocate
		answers = Hash.new("0123456789ab")
		def KamalOpRunning.answer(backend, ask, salt) = backend.answer(ask)
		cli.define_singleton_method(:on) do |hosts, &block|
			hosts.each do |host|
				place = Object.new
				place.define_singleton_method(:answer) do |ask|
					id = answers[[ host, ask[:role] ]]
					raise id if id.is_a?(Exception)
					{ id: id, container: "app-#{ask[:role]}-v1", version: "v1" }
				end
				place.define_singleton_method(:capture) { |*, **| "" }
				place.instance_exec(host, &block)
			end
		end
		boot = ->(host, role, id) { { "role" => role, "hosts" => [ { "host" => host, "id" => id } ] } }
		as_chosen = ->(*boots) { puts cli.kamal_op_as_chosen?(boots) }
		as_chosen.(boot.("192.0.2.1", "web", "0123456789ab"), boot.("192.0.2.2", "jobs", "0123456789ab"))
		answers[[ "192.0.2.2", "jobs" ]] = "fedcba987654"
		as_chosen.(boot.("192.0.2.1", "web", "0123456789ab"), boot.("192.0.2.2", "jobs", "0123456789ab"))
		as_chosen.(boot.("192.0.2.1", "web", "0123456789ab"))
		as_chosen.(boot.("192.0.2.1", "jobs", "0123456789ab"))
		answers[[ "192.0.2.1", "web" ]] = IOError.new("closed\nand more")
		as_chosen.(boot.("192.0.2.1", "web", "0123456789ab"))
		found, unreached = cli.kamal_op_look(KamalOpRunning.asks)
		puts JSON.generate(found.map { |place| place.values_at(:host, :role) }), JSON.generate(unreached)
		[ KamalOp::Cancelled.new("over"), Kamal::ConfigurationError.new("wrong") ].each do |error|
			answers[[ "192.0.2.1", "web" ]] = error
			cli.kamal_op_look(KamalOpRunning.asks)
			puts "went on"
		rescue KamalOp::Cancelled, Kamal::ConfigurationError => e
			puts e.message
		end

		# The first that fails is the last, and each is under the lock that is held.
		ran = []
		cli.define_singleton_method(:options) { {} }
		cli.define_singleton_method(:system) { |env, *words| ran << [ env, words[2, 2] ]; ran.size < 2 }
		puts cli.kamal_op_boot([ boot.("h1", "web", "a"), boot.("h2", "web", "b"), boot.("h3", "web", "c") ]), ran.size, JSON.generate(ran.first)
		ran.clear
		puts cli.kamal_op_boot([ boot.("h1", "web", "a") ])`
	const want = `app boot --version=v1 --roles=web --hosts=h1,h2 --destination=d
accessory reboot db --hosts=h1 --destination=d
false true false
true
false
true
false
false
[["192.0.2.2","web"],["192.0.2.2","jobs"]]
[{"host":"192.0.2.1","why":"IOError: closed"}]
over
wrong
1
2
[{"KAMAL_LOCK":"true"},["app","boot"]]
0
`
	if diff := cmp.Diff(want, w.Ruby(script)); diff != "" {
		t.Error(diff)
	}
}
