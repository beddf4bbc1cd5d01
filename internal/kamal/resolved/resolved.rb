# Tells, as one line of JSON on standard output, what Kamal makes of a project's
# configuration: ERB, anchors and the merge of a destination's file are Kamal's own.
# Loaded into Kamal through RUBYOPT, it answers
#
# - `kamal version`, where KAMAL_OP_RESOLVED asks it to, when that is done: with the
#   files after ERB and merge (raw), or with the configuration (resolved);
# - `kamal config`, in place of what Kamal shows, which has the SSH key's text in it.
#
# No secret is read: what stands in the `docker run` lines is what Kamal logs at every
# deploy. Neither Kamal nor a project's bundle is loaded yet when this is.
module KamalOpResolved
  class << self
    # What KAMAL_OP_RESOLVED_* asks for.
    def answer
      file = Pathname.new(File.expand_path(ENV.fetch("KAMAL_OP_RESOLVED_CONFIG")))
      destination = ENV["KAMAL_OP_RESOLVED_DESTINATION"]
      destination = nil if destination.to_s.empty?
      if ENV["KAMAL_OP_RESOLVED_WANT"] == "raw"
        ENV["KAMAL_DESTINATION"] = destination
        { raw: Kamal::Configuration.load_raw_config(config_file: file, destination: destination) }
      elsif ENV["KAMAL_OP_RESOLVED_WANT"] == "judged"
        ENV["KAMAL_DESTINATION"] = destination
        { raw: Kamal::Configuration.load_raw_config(config_file: file, destination: destination) }.merge(judged(file, destination))
      else
        { resolved: detailed(Kamal::Configuration.create_from(config_file: file, destination: destination, version: "rehearsal")) }
      end
    rescue Exception => e # rubocop:disable Lint/RescueException: whatever it is, it is told
      { error: e.message, class: e.class.name, summary: "#{summary(e)} (#{e.class.name})" }
    end

    # Why Kamal would not deploy what it has loaded.
    def judged(file, destination)
      Kamal::Configuration.create_from(config_file: file, destination: destination, version: "rehearsal")
      {}
    rescue Exception => e # rubocop:disable Lint/RescueException: whatever it is, it is told
      { refused: e.is_a?(ArgumentError) ? e.message : summary(e) }
    end

    # What is wrong, without what may be a value: a parser's text may quote what it
    # reads, and that of ERB what it computes.
    def summary(e)
      case e
      when RuntimeError then e.message.start_with?("Configuration file not found") ? e.message : "its ERB raises an error"
      when Psych::SyntaxError then "its YAML cannot be read in line #{e.line}, column #{e.column}"
      when Kamal::ConfigurationError then e.message
      when NoMethodError then e.receiver.nil? ? "undefined method '#{e.name}' for nil" : "its ERB names #{e.name}, which is not there"
      when NameError then "its ERB names #{e.name}, which is not there"
      when KeyError then e.receiver.equal?(ENV) ? "key not found: #{e.key.inspect}" : "its ERB asks for a key that is not there"
      when SyntaxError then "its ERB is no Ruby"
      when Errno::ENOENT then "a file is not there"
      when TypeError then e.message[/\A(?:can't convert nil into \w+|no implicit conversion (?:of|from) nil (?:into|to) \w+)/i] || "loading it raises an error"
      else "loading it raises an error"
      end
    end

    # The configuration with the `docker run` lines of Kamal's own commands, as they go
    # to a host's shell.
    def with_commands(config)
      commands = Commands.new(config)
      {
        service: config.service, destination: config.destination.to_s, image: config.repository, version: config.version.to_s,
        hosts: text(config.all_hosts),
        roles: config.roles.to_h { |r|
          [ r.name.to_s, { hosts: text(r.hosts), proxy: (proxy(r.proxy, config) if r.running_proxy?), run: commands.role(r) } ]
        },
        accessories: config.accessories.to_h { |a|
          [ a.name.to_s, { service: a.service_name, image: a.image, hosts: text(a.hosts),
                           proxy: (proxy(a.proxy, config) if a.running_proxy?), run: commands.accessory(a) } ]
        },
        proxy_run: commands.proxies
      }
    end

    # The configuration with all by which a run could reach another machine.
    def detailed(config)
      {
        service: config.service, image: config.repository, hosts: text(config.all_hosts),
        ssh: {
          user: config.ssh.user.to_s, port: config.ssh.port.to_s, proxy: !!config.ssh.proxy,
          keys: !!(config.ssh.keys || config.ssh.ssh_config["key_data"])
        },
        registry: config.registry.server.to_s,
        builder: { driver: config.builder.driver, remote: config.builder.remote.to_s, cached: config.builder.cached? },
        hooks_path: config.hooks_path,
        output: config.respond_to?(:output) && config.output.enabled?,
        roles: config.roles.to_h { |r|
          [ r.name.to_s, {
            hosts: text(r.hosts), args: text([ *config.volume_args, *r.logging_args, *r.option_args ]),
            secrets: r.hosts.any? ? secrets(r.env(r.hosts.first)) : {},
            proxy: (reaching(proxy(r.proxy, config), r.proxy) if r.running_proxy?)
          } ]
        },
        accessories: config.accessories.to_h { |a|
          [ a.name.to_s, {
            service: a.service_name, image: a.image, hosts: text(a.hosts), registry: a.registry&.server.to_s,
            args: text([ *a.network_args, *config.logging_args, *a.publish_args, *a.volume_args, *a.option_args ]),
            secrets: secrets(a.env), proxy: (reaching(proxy(a.proxy, config), a.proxy) if a.running_proxy?)
          } ]
        }
      }
    end

    def generate(answer)
      require "json" # not before: a bundle may have its own
      JSON.generate(answer)
    end

    private
      def text(list) = Array(list).map(&:to_s)

      # Variable to secret.
      def secrets(env) = env.secret_keys.to_h { |key| a, b = key.split(":", 2); [ a, b || a ] }

      def proxy(proxy, config)
        return unless proxy

        health = proxy.proxy_config["healthcheck"]
        { hosts: Array(proxy.hosts), tls: !!proxy.ssl?,
          path_prefixes: (proxy.respond_to?(:path_prefixes) ? Array(proxy.path_prefixes) : []),
          health: (health["path"] if health.is_a?(Hash)), port: port(proxy, config) }
      end

      # kamal-proxy's own port, where the project moves it.
      def port(proxy, config)
        run = proxy.proxy_config["run"]
        run = config.raw_config.proxy["run"] if !run && config.raw_config.proxy.is_a?(Hash)
        port = run[proxy.ssl? ? "https_port" : "http_port"] if run.is_a?(Hash)
        port.to_i if port
      end

      # What is told of a proxy, and how it is run itself.
      def reaching(told, proxy)
        told&.merge(run: proxy.run && { args: text(proxy.run.docker_options_args), registry: proxy.run.registry.to_s })
      end
  end

  # The `docker run` lines of Kamal's commands.
  class Commands
    def initialize(config) = @config = config

    def role(role)
      role.hosts.map { |host| line(Kamal::Commands::App.new(@config, role: role, host: host).run) }
    end

    def accessory(accessory)
      accessory.hosts.map(&:to_s).map do |host|
        command = Kamal::Commands::Accessory.new(@config, name: accessory.name)
        # An older Kamal does not take the host.
        line(command.method(:run).arity.zero? ? command.run : command.run(host: host))
      end
    end

    # kamal-proxy's, for the hosts on which it is run as this configuration says (since
    # Kamal 2.8), and not as the host remembers it.
    def proxies
      hosts = @config.respond_to?(:proxy_run) ? @config.all_hosts.select { |host| @config.proxy_run(host) } : []
      hosts.map { |host| line(Kamal::Commands::Proxy.new(@config, host: host).run) }.uniq
    end

    private
      def line(command) = command.flatten.compact.join(" ") # as SSHKit joins it
  end

  # For Kamal::Configuration: `kamal config` shows to_h.
  module Shown
    def to_h
      $stdout.puts "@kamal-op-resolved " + KamalOpResolved.generate(KamalOpResolved.with_commands(self))
      $stdout.flush
      {}
    end
  end
end

if (mark = ENV["KAMAL_OP_RESOLVED"])
  at_exit do
    if defined?(Kamal::Configuration)
      $stdout.puts
      $stdout.puts "#{mark}#{KamalOpResolved.generate(KamalOpResolved.answer)}"
      $stdout.flush
    end
  end
else
  TracePoint.new(:end) { |t|
    if t.self.class == Class && t.self.name == "Kamal::Configuration"
      t.self.prepend(KamalOpResolved::Shown)
      t.disable
    end
  }.enable
end
