# Adds a command to Kamal that writes, as one line of JSON, what Kamal makes of the
# project as far as a run depends on it: versions, parts of kamal-op's own Ruby that
# stepped aside, the architectures that images are built for, and whether the
# registries take the credentials. Those logins stay in the run's own configuration of
# docker, which goes with the run. No value of a secret is in the line.
require "json"

module KamalOpDoctor
  class << self
    def version(name)
      Gem.loaded_specs[name]&.version.to_s
    end

    def aside
      return [] unless defined?(::KamalOp)

      Array(::KamalOp.instance_variable_get(:@aside)).map { |part, why| { part: part, why: why } }
    end

    # What docker has said, without Kamal's words around it.
    def said(error)
      text = error.message.scrub[/docker stderr: (.*)/m, 1] || error.message.scrub
      text.lines.map(&:strip).reject { |line| line.empty? || line.start_with?("WARNING!") }.first.to_s
    end
  end

  def kamal_op_doctor
    KAMAL.config.secrets.to_h # all that is wrong with them is told first
    config = KAMAL.config
    registries = [ config.registry, *config.accessories.filter_map(&:registry) ].uniq { |registry| [ registry.server, registry.username ] }
    report = {
      kamal: ::Kamal::VERSION, ruby: RUBY_VERSION, dotenv: KamalOpDoctor.version("dotenv"), net_ssh: KamalOpDoctor.version("net-ssh"), sshkit: KamalOpDoctor.version("sshkit"),
      aside: KamalOpDoctor.aside, architectures: config.builder.arches.map(&:to_s), registries: registries.map { |registry| kamal_op_login(registry) }
    }
    $stdout.puts "@kamal-op-doctor #{JSON.generate(report)}"
    $stdout.flush
  end

  def kamal_op_login(registry)
    found = { server: registry.server.to_s }
    return found.merge(state: "local") if registry.local?

    words = KAMAL.registry.login(registry_config: registry)
    run_locally { execute(*words, verbosity: Logger::DEBUG) }
    found.merge(state: "accepted")
  rescue ::SSHKit::Command::Failed => e
    found.merge(state: "refused", why: KamalOpDoctor.said(e))
  rescue SystemCallError => e
    found.merge(state: "unknown", why: e.message.scrub)
  end
end

TracePoint.new(:end) { |t|
  if t.self.class == Class && t.self.name == "Kamal::Cli::Main"
    t.self.class_eval do
      desc "kamal_op_doctor", "Say what a run depends on"
      define_method(:kamal_op_doctor, KamalOpDoctor.instance_method(:kamal_op_doctor))
      no_commands { define_method(:kamal_op_login, KamalOpDoctor.instance_method(:kamal_op_login)) }
    end
    t.disable
  end
}.enable
