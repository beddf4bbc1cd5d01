# frozen_string_literal: true

# The hosts that Kamal connects to: their keys, the login check, the agent.
module KamalOp
  class << self
    def forward_agent? = @forward_agent

    # The hosts of the command are told, once, before Kamal connects to any: they
    # are logged in to, so that what stands in the way is known before a build.
    def log_in
      return unless @log_in && !@logged_in

      @logged_in = true
      hosts = %w[ deploy setup ].include?(@command) ? ::KAMAL.hosts : ::KAMAL.app_hosts
      tell_hosts(hosts.map do |name|
        host = ::SSHKit::Host.new(name.to_s)
        host.ssh_options = ::SSHKit::Backend::Netssh.config.ssh_options # as SSHKit does: deploy.yml's port is before the name's
        target(String(host.hostname), host.username, host.netssh_options)
      end, log_in: true)
    end

    # What makes Net::SSH take the given host keys and no others, and log in with
    # the run's agent.
    def connecting(host, user, options)
      return {} unless @pins || @agent

      asked = target(host, user, options)
      lock.synchronize { tell_hosts([ asked ]) unless @told&.include?(asked.values_at(:host, :port)) }
      (@pins ? pinning.merge(no_alias(host, asked, options)) : {}).merge(ours(host, options))
    end

    # Whether a connection with these options takes the given host keys alone.
    def pinned?(options) = @pins && options.to_h >= pinning

    private
      # What Net::SSH will do: its user's ssh configuration counts where deploy.yml
      # says nothing.
      def found(host, options) = ::Net::SSH.send(:configuration_for, host, options.fetch(:config, true)).merge(options)

      # An alias takes the keys of another name.
      def no_alias(host, asked, options)
        return {} unless found(host, options)[:host_key_alias]

        { host_key_alias: asked[:port] == 22 ? asked[:host] : "[#{asked[:host]}]:#{asked[:port]}" }
      end

      # 1Password's own way to set up ssh names its agent, and the keys to ask it
      # for, in the user's configuration.
      def ours(host, options)
        return {} unless @agent

        found = found(host, options)
        { identity_agent: (@agent if found[:identity_agent]), keys_only: (false if found[:keys_only] && !options[:keys_only]) }.compact
      end

      def pinning = { user_known_hosts_file: [ @pins ], global_known_hosts_file: [ "/dev/null" ], verify_host_key: :always }

      # A host as Net::SSH will connect to it.
      def target(host, user, options)
        found = found(host, options)
        {
          host: found.fetch(:host_name, host).to_s, port: (found[:port] || 22).to_i, user: (user || found[:user]).to_s,
          **proxy(found[:proxy], options),
          certificates: Array(found[:keycerts]).map { |file| File.expand_path(file.to_s) },
          no_public_key: found.key?(:auth_methods) && !found[:auth_methods].include?("publickey"),
          # What only the project can say: an ssh configuration's is overridden.
          keys_only: options[:keys_only] ? true : false, keys: own_keys(found)
        }
      end

      # The way there: hosts to go through, and the command that does so.
      def proxy(proxy, options)
        jump = proxy.jump_proxies if proxy.respond_to?(:jump_proxies)
        proxy.build_proxy_command_equivalent({ config: options[:config] }) if proxy.respond_to?(:build_proxy_command_equivalent)
        command = proxy.command_line_template if proxy.respond_to?(:command_line_template)
        { jump: jump.to_s, command: command.to_s, other_way: !proxy.nil? && command.nil?, config: (options[:config] if options[:config].is_a?(String)).to_s }
      end

      # How many keys Net::SSH has beside the agent's.
      def own_keys(found)
        Array(found[:key_data]).size + Array(found[:keys]).count { |file| File.readable?(File.expand_path(file.to_s)) }
      rescue ArgumentError
        0 # "~nobody/key" names no file
      end

      def tell_hosts(targets, log_in: false)
        reply = ask("hosts", { hosts: targets, log_in: log_in })
        stop(reply["stop"]) if reply["stop"]
        @told = (@told || []) | targets.map { |told| told.values_at(:host, :port) }
      end
  end

  module Connecting
    private
      # After the hook pre-connect, which may be what makes the hosts reachable.
      def pre_connect_if_required
        super
        KamalOp.log_in
      end
  end

  module Pinned
    def start(host, user = nil, options = {}, &block)
      super(host, user, options.merge(KamalOp.connecting(host, user, options)), &block)
    end
  end

  # Where host keys are given, whatever goes through Net::SSH takes them or ends
  # the process before it connects: also in a Kamal whose commands are never seen
  # here, since they are loaded otherwise than this file knows, and on a way to a
  # connection that Pinned does not know.
  module Held
    KNOWN_HOSTS = File.join(__dir__, "known_hosts")
    # A class may have a method of that name of its own.
    NAME = Module.instance_method(:name)

    class << self
      def given? = File.exist?(KNOWN_HOSTS)

      # Net::SSH is not loaded here: which one it is, is for Kamal's bundle to say.
      def watch
        TracePoint.new(:end) { |trace| hold(trace.self) }.enable
        # It may be there already.
        hold(::Net::SSH) if defined?(::Net::SSH)
        hold(::Net::SSH::Transport::Session) if defined?(::Net::SSH::Transport::Session)
      end

      def check(host, options) = KamalOp.pinned?(options) || refuse(host)

      # Several threads may connect at a time; the first says it.
      def refuse(host)
        KamalOp.lock.synchronize do
          exit(1) if @refused
          @refused = true
          abort "kamal-op: #{$PROGRAM_NAME} is stopped before it connects to #{host}: the host keys of --host-keys do not hold " \
            "for the way in which it is loaded or connects; name another Kamal with --kamal, or take a newer kamal-op"
        end
      end

      private
        def hold(owner)
          name = NAME.bind_call(owner).to_s
          if name.end_with?("Net::SSH::Transport::Session")
            owner.prepend(Session)
          elsif name.end_with?("Net::SSH") && owner.respond_to?(:start)
            owner.singleton_class.prepend(Start)
          end
        end
    end

    module Start
      def start(host, user = nil, options = {}, &block)
        Held.check(host, options)
        super
      end
    end

    module Session
      def initialize(host, options = {})
        Held.check(host, options)
        super
      end
    end
  end

  module Unforwarded
    def netssh_options
      options = super
      options[:forward_agent] = true if KamalOp.forward_agent?
      options[:forward_agent] = false unless KamalOp.forward_agent? || ssh_options&.key?(:forward_agent)
      options
    end
  end

  # The program that a connection goes through: `ssh -W`, or what proxy_command
  # says. Kamal releases its lock through it, so that it must outlive the hooks and
  # builds that are ended when a run is cancelled.
  module Needed
    def open(...)
      super.tap { |io| KamalOp.tell("needed", { pid: io.pid }) }
    end
  end
end
