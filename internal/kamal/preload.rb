# frozen_string_literal: true

# Loaded by RUBYOPT into every Ruby process of a kamal-op run. Only Kamal gets past
# the next lines: `kamal`, `bin/kamal`, `bundle exec kamal`, also from a hook.
kamal_op_program = File.basename($PROGRAM_NAME)
if kamal_op_program.start_with?("kamal") ||
    (kamal_op_program.start_with?("bundle") && ARGV.any? { |arg| File.basename(arg) == "kamal" })

  # Kamal's standard output is a pipe here, and Ruby would hold it back until the
  # end of a build.
  $stdout.sync = true

  require "monitor"

  # What makes secrets arrive as they are in the vault. It is written against named
  # methods of Kamal, dotenv and SSHKit. Each part looks whether the methods are
  # those it knows, and steps aside where they are not: then Kamal works as it does
  # by itself, and the check at the end says what that has done to a value.
  module KamalOp
    SOCKET = ENV["KAMAL_OP_BROKER"].to_s
    # The name of the secret that a command is run for: `op` tells it on.
    SECRET = "KAMAL_OP_SECRET"

    # Commands that need secrets, by class. Theirs are evaluated before the first
    # connection; all others evaluate theirs when they ask for one, as Kamal does.
    EAGER = {
      "Kamal::Cli::Main" => %w[ deploy redeploy setup rollback ],
      "Kamal::Cli::App" => %w[ boot ],
      "Kamal::Cli::Accessory" => %w[ boot reboot upgrade ],
      "Kamal::Cli::Build" => %w[ deliver push pull ],
      "Kamal::Cli::Proxy" => %w[ boot reboot upgrade ],
      "Kamal::Cli::Registry" => %w[ setup login ]
    }.freeze

    class StepAside < StandardError; end

    # The run was cancelled. Kamal's own rescue is for a StandardError.
    class Cancelled < StandardError; end

    @lock = Monitor.new
    @aside = []
    @declared = {}

    class << self
      attr_accessor :raw_config
      attr_reader :declared, :lock

      # Kamal's commands are loaded: wait for the first that asks for configuration.
      def attach(main)
        base = main.superclass
        part "evaluating secrets before the first connection" do
          known base.method_defined?(:invoke_command), "Thor runs commands otherwise"
          base.prepend(BeforeConnecting)
        end
        part "logging in before anything is changed" do
          known base.private_method_defined?(:pre_connect_if_required), "it connects otherwise"
          base.prepend(Connecting)
        end
        %w[ INT TERM ].each { |signal| trap(signal) { cancel(signal) } }
        part "the deploy lock" do
          DeployLock.attach(base)
        end
        part "the last newline of an extracted value" do
          known ::Kamal::Cli::Secrets.private_method_defined?(:return_or_puts), "it prints otherwise"
          ::Kamal::Cli::Secrets.prepend(WholeLine)
        end
        part "everything about secrets" do
          known defined?(::KAMAL) && instance_method?(::KAMAL.class, :config, 0), "its commander is another"
          ::KAMAL.singleton_class.prepend(FirstUse)
        rescue StepAside, NameError
          # Then kamal-op is never asked what else is to hold.
          Held.refuse("any host") if Held.given?
          raise
        end
      end

      # A signal would end Ruby at once, and leave the deploy lock on the server for
      # ever. As an error in the main thread, where signal handlers run, it is
      # rescued by Kamal, which releases its lock over the connection it has. A
      # second signal must not disturb that: who sends it will kill in the end.
      def cancel(signal)
        return if @cancelled

        @cancelled = true
        raise Cancelled, "the run was cancelled (SIG#{signal})"
      end

      # Once in a process, before deploy.yml is read.
      def take_place
        return if @placed

        @placed = true
        install
        reply = ask("hello", {
          pid: Process.pid, kamal: version("Kamal"), dotenv: version("Dotenv"), ruby: RUBY_VERSION,
          aside: @aside.map { |what, why| { part: what, why: why } }
        })
        DeployLock.mark = reply["mark"]
        @forward_agent, @pins, @log_in, @agent = reply.values_at("forward_agent", "known_hosts", "log_in", "agent")
        Boots.roll_back = reply["roll_back"]
        @declared = reply.fetch("declared", {}).transform_values { |value| decode(value) }
        # Where $NAME is not answered here, the environment has to do it.
        ENV.update(@declared.reject { |_, value| value.include?("\0") }) unless @faithful
        stop(reply["stop"]) if reply["stop"]
      end

      def forward_agent? = @forward_agent

      # What Kamal holds is masked, and held against the vault, before it goes on.
      def check(secrets, values, evaluation)
        used = Uses.of(raw_config)
        supplied = used.map { |use| use[:name] }.uniq.select { |name| !values.key?(name) && declared.key?(name) }
        supplied.each { |name| values[name] = declared[name].dup }
        reply = ask("check", {
          dir: Dir.pwd, files: secrets.secrets_files, command: @command, used: used,
          output: output_copies, hooks: secret_hooks, literals: Uses.literals.map { |literal| literal.merge(value: encode(literal[:value])) }, also: evaluation.also.map { |value| encode(value) },
          secrets: values.map do |name, value|
            { name: name, value: encode(value), supplied: supplied.include?(name), failed: evaluation.troubles(name) }
          end
        })
        stop(reply["stop"]) if reply["stop"]
        values
      end

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

      # Kamal is about to log in to a registry on this machine.
      def registry_login(server)
        reply = ask("login", { server: server })
        stop(reply["stop"]) if reply["stop"]
      end

      def evaluation = Thread.current[:kamal_op_evaluation]

      def evaluating
        Thread.current[:kamal_op_evaluation] = Evaluation.new
        yield evaluation
      ensure
        Thread.current[:kamal_op_evaluation] = nil
      end

      # Before a command of Kamal's own is run, nested ones too.
      def before(cli, command)
        return unless EAGER[cli.class.name]&.include?(command)

        @skip_hooks = cli.options[:skip_hooks]
        @command ||= cli.class.name == "Kamal::Cli::Main" ? command : "#{cli.class.name.split("::").last.downcase} #{command}"
        ::KAMAL.config.secrets.to_h
      end

      # deploy.yml may read what used to be in the environment: for as long as its
      # ERB runs, and no longer, it is.
      def with_declared
        added = declared.reject { |name, value| ENV.key?(name) || value.include?("\0") }
        ENV.update(added)
        yield
      ensure
        added&.each_key { |name| ENV.delete(name) }
      end

      # As ask, where Kamal goes on whatever the answer is.
      def tell(what, content)
        ask(what, content)
      rescue Cancelled
        raise
      rescue ::StandardError
        nil
      end

      def ask(what, content)
        require "socket"
        require "json"
        answer = UNIXSocket.open(SOCKET) do |socket|
          socket.write(JSON.generate({ what => content }) << "\n")
          socket.read
        end
        reply = JSON.parse(answer)
        stop("kamal-op says: #{reply["error"]}") if reply["error"]
        reply
      rescue SystemCallError, JSON::ParserError => e
        # Without an answer nothing is masked: Kamal must not go on.
        stop("kamal-op cannot be asked (#{e.class}): the run is over, or this Kamal is not part of it")
      end

      def stop(why) = raise(::Kamal::ConfigurationError, why)

      def encode(value) = [ value.to_s ].pack("m0")

      def decode(text) = text.unpack1("m0").force_encoding(Encoding::UTF_8)

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

        def install
          part "the fidelity of values" do
            Fidelity.install
            @faithful = true
          end
          part "the check of values" do
            known instance_method?(::Kamal::Secrets, :secrets, 0) && ::Kamal::Secrets.method_defined?(:secrets_files), "it reads its secrets files otherwise"
            ::Kamal::Secrets.prepend(Checked)
          end
          part "knowing what deploy.yml names" do
            known ::Kamal::Configuration.instance_method(:initialize).parameters.first == [ :req, :raw_config ], "its configuration is another"
            ::Kamal::Configuration.prepend(Configured)
          end
          part "declared secrets in the ERB of deploy.yml" do
            known ::Kamal::Configuration.respond_to?(:load_raw_config), "its configuration is read otherwise"
            ::Kamal::Configuration.singleton_class.prepend(Rendered)
          end
          part "sparing the jump host's ssh while a cancelled run ends" do
            require "net/ssh/proxy/command"
            known ::Net::SSH::Proxy::Command.method_defined?(:open), "Net::SSH connects otherwise"
            ::Net::SSH::Proxy::Command.prepend(Needed)
          end
          part "telling what runs on each host" do
            Boots.install
          end
          part "naming the accessory that is booted" do
            known instance_method?(::Kamal::Cli::Accessory, :boot, -2), "it boots them otherwise"
            ::Kamal::Cli::Accessory.prepend(Named)
          end
          part "keeping the agent from the servers" do
            known instance_method?(::SSHKit::Host, :netssh_options, 0) && ::SSHKit::Host.method_defined?(:ssh_options), "SSHKit connects otherwise"
            ::SSHKit::Host.prepend(Unforwarded)
          end
          part "keeping the registry's password out of the process list" do
            LocalLogin.install
          end
          part "checking host keys" do
            known ::Net::SSH.respond_to?(:start) && ::Net::SSH.respond_to?(:configuration_for, true), "Net::SSH connects otherwise"
            ::Net::SSH.singleton_class.prepend(Pinned)
          end
        end

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
          0
        end

        def tell_hosts(targets, log_in: false)
          reply = ask("hosts", { hosts: targets, log_in: log_in })
          stop(reply["stop"]) if reply["stop"]
          @told = (@told || []) | targets.map { |told| told.values_at(:host, :port) }
        end

        def part(what)
          yield
        rescue StepAside, NameError, LoadError => e
          @aside << [ what, e.is_a?(NameError) ? "a name that it is written for is not there (#{e.name})" : e.message ]
        end

        def version(name)
          Object.const_get(name)::VERSION.to_s
        rescue NameError
          "?"
        end

        # The hooks that this command will run with every secret in their environment.
        def secret_hooks
          names = %w[ pre-connect ]
          names += %w[ pre-deploy post-deploy ] if %w[ deploy redeploy setup rollback ].include?(@command)
          return [] if @skip_hooks

          dir = (raw_config && raw_config[:hooks_path]) || ".kamal/hooks"
          names.select { |name| File.exist?(File.join(dir.to_s, name)) }
        end

        def output_copies
          (raw_config && raw_config[:output].is_a?(Hash) ? raw_config[:output].keys.map(&:to_s) : []) & %w[ file otel ]
        end
    end

    def self.known(condition, otherwise)
      raise StepAside, otherwise unless condition
    end

    def self.instance_method?(owner, name, arity)
      (owner.method_defined?(name) || owner.private_method_defined?(name)) && owner.instance_method(name).arity == arity
    end

    module FirstUse
      def config
        KamalOp.take_place
        super
      end

      def resolve_alias(...)
        KamalOp.take_place
        super
      end
    end

    module BeforeConnecting
      def invoke_command(command, *)
        KamalOp.before(self, command.name)
        super
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

    module Configured
      def initialize(raw_config, ...)
        KamalOp.raw_config = raw_config
        super
      end
    end

    module Rendered
      def load_raw_config(...)
        KamalOp.with_declared { super }
      end
    end

    module Checked
      private
        def secrets
          KamalOp.lock.synchronize do
            raise @kamal_op_refused if @kamal_op_refused
            return super if @kamal_op_checked

            KamalOp.evaluating { |evaluation| KamalOp.check(self, super(), evaluation) }
            @kamal_op_checked = true
            super
          rescue ::Kamal::ConfigurationError => e
            @kamal_op_refused = e
            raise
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

    # The deploy lock, which Kamal holds on the primary host. kamal-op is told when
    # it is taken and released, what its details say of the owner, and decides what
    # becomes of one that somebody else holds. All of it goes over the connection
    # that Kamal has.
    module DeployLock
      AUTOMATIC = "Automatic deploy lock"

      # Somebody else has the lock.
      class Held < StandardError; end

      class << self
        # What the lock's details say of its owner; nil leaves locks to Kamal.
        attr_accessor :mark

        def attach(base)
          lock = ::Kamal::Commands::Lock
          KamalOp.known KamalOp.instance_method?(base, :acquire_lock, 0) && KamalOp.instance_method?(base, :release_lock, 0) &&
            KamalOp.instance_method?(base, :raise_if_locked, 0), "it takes its lock otherwise"
          KamalOp.known KamalOp.instance_method?(lock, :acquire, 2) && KamalOp.instance_method?(lock, :lock_details, 2) &&
            KamalOp.instance_method?(lock, :locked_by, 0) && KamalOp.instance_method?(lock, :lock_dir, 0), "its lock is another"
          base.prepend(Around)
          lock.prepend(Marked)
          ::Kamal::Cli::Lock.prepend(ByNonce)
        end

        # Takes the lock, as soon as kamal-op says that it may be taken.
        def acquire(cli)
          @place = place(cli)
          # Kamal's own --lock-wait knows neither dead owners nor what to wait for.
          patience, ::KAMAL.lock_wait = ::KAMAL.lock_wait_timeout, false if ::KAMAL.respond_to?(:lock_wait) && ::KAMAL.lock_wait
          @acquiring = true
          vain = 0
          begin
            yield
          rescue Held => e
            vain = settle(cli, patience) == :gone ? vain + 1 : 0
            raise(::Kamal::Cli::LockError, "the deploy lock cannot be taken, though nobody has it: #{why(e)}") if vain > 2
            sleep(0.2 * vain)
            retry
          end
          tell("taken")
        ensure
          @acquiring = false
        end

        def acquiring? = @acquiring

        # Right before the command that takes it is sent: from here on it may be ours.
        def taking = @acquiring && ask("taking")

        def released = @place && tell("released")

        # `kamal lock release` in a Kamal that is started to release a lock of the run.
        def release(cli)
          @place = place(cli)
          run(cli, ask("release")["command"])
        end

        private
          # What the server said: a full disk is an error of mkdir's as well.
          def why(error)
            error = error.cause while error.cause
            error.message.lines.map(&:strip).grep(/cannot create/).last || error.message
          end

          # Returns when another attempt makes sense, :gone if there is no lock.
          def settle(cli, patience)
            loop do
              reply = ask("held", output: remote(cli, @look), patience: patience.to_f)
              case reply["do"]
              when "release" then return run(cli, reply["command"])
              when "wait" then sleep(reply["seconds"])
              when "stop" then raise(::Kamal::Cli::LockError, reply["why"])
              else return :gone
              end
            end
          end

          def run(cli, command) = ask("ran", output: remote(cli, command))

          def remote(cli, command)
            output = nil
            cli.send(:on, ::KAMAL.primary_host) { output = capture(command, verbosity: :debug, strip: false, raise_on_non_zero_exit: false) }
            output.to_s.dup.force_encoding(Encoding::UTF_8).scrub("?")
          end

          def place(cli)
            {
              host: ::KAMAL.primary_host.to_s, dir: ::KAMAL.lock.send(:lock_dir), project: Dir.pwd,
              config_file: File.expand_path(cli.options[:config_file] || "config/deploy.yml"), destination: ::KAMAL.config.destination.to_s
            }
          end

          def ask(event, **content)
            reply = KamalOp.ask("lock", { event: event, place: @place, **content })
            @look = reply["look"] if reply["look"]
            reply
          end

          def tell(event) = KamalOp.tell("lock", { event: event, place: @place })
      end

      module Around
        private
          def acquire_lock
            DeployLock.mark ? DeployLock.acquire(self) { super() } : super
          end

          def release_lock
            super
            DeployLock.released
          end

          # Kamal would print all there is to know about the lock, and end.
          def raise_if_locked
            return super unless DeployLock.acquiring?

            begin
              yield
            rescue StandardError => e
              raise Held if e.class.name.end_with?("::LockHeldError") || e.message.include?("cannot create directory")
              raise
            end
          end
      end

      module Marked
        def acquire(message, version)
          DeployLock.taking if message == AUTOMATIC
          super
        end

        private
          def lock_details(message, version)
            return super unless DeployLock.mark && message == AUTOMATIC

            @kamal_op_by = DeployLock.mark["by"]
            "#{super}\n#{DeployLock.mark["lines"]}"
          ensure
            @kamal_op_by = nil
          end

          def locked_by
            @kamal_op_by.to_s.empty? ? super : @kamal_op_by
          end
      end

      module ByNonce
        def release
          ENV.key?("KAMAL_OP_RELEASE") ? DeployLock.release(self) : super
        end
      end
    end

    # What runs on each host in each role, before and after. Kamal asks the host for
    # it when it boots the app; here it is told on, and nothing more is asked.
    module Boots
      # What has been booted a second time is what it was before.
      REPLACED = /_replaced_\h+\z/
      # What can be an image's tag. The server says it, and Kamal writes it into commands.
      VERSION = /\A\w[\w.-]{0,160}\z/

      class << self
        attr_writer :roll_back

        def install
          boot = ::Kamal::Cli::App::Boot
          KamalOp.known %i[ run host role version ].all? { |name| boot.method_defined?(name) } &&
            %i[ old_version_renamed_if_clashing start_new_version stop_new_version ].all? { |name| KamalOp.instance_method?(boot, name, 0) }, "it boots otherwise"
          boot.prepend(Told)
          KamalOp.known KamalOp.instance_method?(::Kamal::Cli::App, :with_lock, 0), "it locks otherwise"
          ::Kamal::Cli::App.prepend(RolledBack)
        end

        # A Kamal that rolls back does not do so again.
        def roll_back? = @roll_back && !ENV.key?("KAMAL_OP_ROLLING_BACK")

        def done = KamalOp.lock.synchronize { @done ||= [] }

        def tell(boot) = KamalOp.tell("boot", boot)

        # Every host that runs the new version gets back the one that it ran before,
        # from a Kamal of its own under the lock that this one holds.
        def back(cli)
          booted = done.select { |boot| boot[:state] == "booted" }
          back, rest = booted.partition { |boot| !boot[:before].empty? && boot[:before].sub(REPLACED, "") != boot[:version] }
          rest.each { |boot| KamalOp.tell("rolled_back", { hosts: [ boot[:host] ], role: boot[:role], version: "" }) if boot[:before].empty? }
          back.group_by { |boot| [ boot[:before].sub(REPLACED, ""), boot[:role] ] }.each do |(version, role), boots|
            hosts = boots.map { |boot| boot[:host] }
            $stdout.puts "Rolling back to version #{version} on #{hosts.join(", ")}..."
            env = { "KAMAL_LOCK" => "true", "KAMAL_OP_ROLLING_BACK" => "1" }
            went = system(env, RbConfig.ruby, $PROGRAM_NAME, "app", "boot", "--version=#{version}", "--hosts=#{hosts.join(",")}", "--roles=#{role}", "--skip-hooks", *flags(cli.options))
            KamalOp.tell("rolled_back", { hosts: hosts, role: role, version: version, failed: went != true })
          end
        end

        private
          def flags(options)
            [ ("--config-file=#{options[:config_file]}" if options[:config_file]), ("--destination=#{options[:destination]}" if options[:destination]),
              ("--verbose" if options[:verbose]), ("--quiet" if options[:quiet]) ].compact
          end
      end

      module Told
        def run
          super
          @kamal_op_boot&.update(state: "booted")
        ensure
          Boots.tell(@kamal_op_boot) if @kamal_op_boot
        end

        private
          def old_version_renamed_if_clashing
            super.tap do |before|
              @kamal_op_boot = { host: host.to_s, role: role.to_s, version: version.to_s, before: before.to_s[VERSION].to_s, state: "kept" }
              KamalOp.lock.synchronize { Boots.done << @kamal_op_boot }
              Boots.tell(@kamal_op_boot)
            end
          end

          # Between the two nobody knows, should the run end there.
          def start_new_version
            @kamal_op_boot&.update(state: "unknown")
            Boots.tell(@kamal_op_boot) if @kamal_op_boot
            super
          end

          def stop_new_version
            super.tap { @kamal_op_boot&.update(state: "kept") }
          end
      end

      module RolledBack
        def boot(*)
          return super unless Boots.roll_back?

          with_lock do
            super
          rescue Cancelled
            raise
          rescue ::StandardError
            Boots.back(self)
            raise
          end
        end
      end
    end

    # `docker login` on this machine gets the password by standard input: as an
    # argument, every user of the machine could read it. Where docker keeps it is for
    # kamal-op to say.
    module LocalLogin
      class << self
        def install
          registry, local = ::Kamal::Commands::Registry, ::SSHKit::Backend::Local
          KamalOp.known registry.method_defined?(:login) && registry.instance_method(:login).parameters == [ [ :key, :registry_config ] ], "it logs in otherwise"
          KamalOp.known KamalOp.instance_method?(local, :execute_command, 1), "SSHKit runs commands otherwise"
          registry.prepend(Noted)
          local.prepend(Run)
        end

        # The passwords as they are, by how Kamal writes them.
        def passwords = KamalOp.lock.synchronize { @passwords ||= {} }
      end

      module Noted
        def login(registry_config: nil)
          super.tap do |words|
            LocalLogin.passwords[words.last.to_s] = (registry_config || config.registry).password.to_s if words.is_a?(Array) && words[-2] == "-p"
          end
        end
      end

      module Run
        private
          def execute_command(command)
            *words, flag, written = command.args
            password = LocalLogin.passwords[written.to_s]
            return super unless command.command.to_s == "docker" && words.first == :login && flag == "-p" && password

            KamalOp.registry_login(words.size == 4 ? words[1].to_s : "")
            command.args.replace(words + [ "--password-stdin" ])
            output.log_command_start(command.with_redaction)
            command.started = Time.now
            stdout, stderr, status = ::Open3.capture3(command.to_command, stdin_data: password)
            { stdout: stdout, stderr: stderr }.each do |stream, text|
              text.each_line do |line|
                command.send(:"on_#{stream}", nil, line)
                output.log_command_data(command, stream, line)
              end
            end
            command.exit_status = status.to_i
            output.log_command_exit(command)
          end
      end
    end

    # Kamal says of accessories only what it runs for them. The line is read as the
    # beginning of a phase.
    module Named
      def boot(name, ...)
        $stdout.puts "Boot accessory #{name}..." unless name == "all"
        super
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

    # `bin/kamal secrets extract` in a secrets file is another process. `puts` adds
    # no newline to a value that ends in one, and the reader takes one away.
    module WholeLine
      private
        def return_or_puts(value, inline: nil)
          return super if inline || !ENV.key?(SECRET)

          $stdout.write("#{value}\n")
        end
    end

    # Every place of deploy.yml that names a secret.
    module Uses
      NAME = /\A[\w.]+\z/

      class << self
        def of(raw_config)
          return [] unless raw_config

          root = raw_config.to_h.transform_keys(&:to_s)
          @found, @literals = [], []
          hash(hash(root["builder"])["args"]).each { |name, value| literal(name, "builder.args.#{name}", value) }
          env(root["env"], "env")
          hash(hash(root["env"])["tags"]).each { |tag, config| env(config, "env.tags.#{tag}") }
          registry(root["registry"], "registry")
          proxy(root["proxy"], "proxy")
          list(hash(root["builder"])["secrets"]).each { |name| use(name, "builder.secrets") }
          list(hash(root["ssh"])["key_data"]).each { |name| use(name, "ssh.key_data") }
          hash(root["servers"]).each do |role, config|
            env(hash(config)["env"], "servers.#{role}.env")
            proxy(hash(config)["proxy"], "servers.#{role}.proxy")
          end
          hash(root["accessories"]).each do |name, config|
            env(hash(config)["env"], "accessories.#{name}.env")
            registry(hash(config)["registry"], "accessories.#{name}.registry")
            proxy(hash(config)["proxy"], "accessories.#{name}.proxy")
          end
          @found
        end

        # Values of the configuration itself, where the last call of `of` has found
        # what may be a reference of 1Password's that nobody resolves.
        def literals = @literals || []

        private
          def env(config, key)
            list(hash(config)["secret"]).each do |name|
              as, secret = name.to_s.split(":", 2)
              use(secret || as, "#{key}.secret", as: as)
            end
            nested = %w[ clear secret tags ].any? { |name| hash(config).key?(name) }
            hash(nested ? config["clear"] : config).each { |name, value| literal(name, nested ? "#{key}.clear.#{name}" : "#{key}.#{name}", value) }
          end

          def registry(config, key)
            %w[ username password ].each do |part|
              use(list(hash(config)[part]).first, "#{key}.#{part}")
              literal(part, "#{key}.#{part}", hash(config)[part])
            end
          end

          def literal(name, key, value)
            @literals << { name: name.to_s, key: key, value: value } if value.is_a?(String) && value.include?("op://")
          end

          def proxy(config, key)
            ssl = hash(hash(config)["ssl"])
            %w[ certificate_pem private_key_pem ].each { |part| use(ssl[part], "#{key}.ssl.#{part}") }
          end

          def use(name, key, as: nil)
            @found << { name: name.to_s, key: key, as: as.to_s } if NAME.match?(name.to_s)
          end

          def hash(value) = value.is_a?(Hash) ? value : {}

          def list(value) = value.is_a?(Array) ? value : []
      end
    end

    # One reading of the secrets files. What a command prints and what a variable
    # holds is kept out of the text while dotenv looks for more to substitute, in
    # whichever order it does that; in its place stands a token, which is put back
    # when dotenv is done with the value.
    class Evaluation
      # A value that is kept, and what is wrong with it. One that is text a shell may
      # read: what a person wrote into the same file, and what an in-process fetch
      # gives, which is escaped for a shell; word is what a shell makes of the latter.
      # All others are data.
      Kept = Struct.new(:value, :trouble, :text, :word)

      TOKEN = /\u{F8E6}(\d+)\u{F8E7}/

      # Bytes that mean themselves to a shell, between blanks.
      PLAIN = %r{\A[\w@%+=:,./ \t-]*\z}n

      attr_reader :also

      def initialize
        @kept = []
        @also = []
        @troubles = {}
      end

      def troubles(name) = @troubles.fetch(name, [])

      # A file begins. Each is read by itself: $X is X of the same file.
      def file
        @names = []
        @text = {} # by name, the kept value that is text, or nil for what was written
      end

      def name=(name)
        @name = name
        @failed = []
      end

      # The value of @name, the text in dotenv's hands put together again.
      def finish(text)
        tokens(text).each { |kept| blame(kept) }
        @troubles[@name] = @failed
        @names << @name
        @text.delete(@name)
        if !text.match?(TOKEN)
          @text[@name] = nil
        elsif alone(text)&.text
          @text[@name] = alone(text)
        end
        reveal(text)
      end

      # Hash-like, for dotenv: a token for each variable.
      class Variables
        def initialize(evaluation, env)
          @evaluation, @env = evaluation, env
        end

        def [](name) = @evaluation.variable(name, @env)
      end

      def variables(env) = env.is_a?(Variables) ? env : Variables.new(self, env)

      def variable(name, env)
        if env.key?(name)
          failed = @names.include?(name) && troubles(name).any?
          keep(env[name], trouble: ({ how: "depends", detail: name } if failed), text: @text.key?(name), word: @text[name]&.word)
        elsif KamalOp.declared.key?(name)
          keep(KamalOp.declared[name])
        elsif ENV.key?(name)
          keep(ENV[name])
        else
          keep("", trouble: { how: "unset", detail: name })
        end
      end

      # What `...` is to the substitution: a command for the system.
      def run(command)
        return keep("") if blocked?(command)

        line, env = shell(command)
        env = environment.merge(env, SECRET => @name)
        output = IO.popen(env, line, &:read).force_encoding(Encoding::UTF_8)
        if $?.exitstatus == 127
          fail!("missing", program(command))
        elsif !$?.success?
          fail!("exit", $?.signaled? ? "signal #{$?.termsig}" : "exit status #{$?.exitstatus}")
        end
        word = fetched_word(output) if line.match?(/kamal\s+secrets\s+fetch\s/)
        # Kamal before 2.10 escapes what any fetch prints, later ones do not.
        keep(without_newline(output, line), text: !word.nil? && word != output.chomp, word: word)
      rescue SystemCallError => e
        # dotenv would take a missing command for a missing file, and give nothing
        # of this one.
        e.is_a?(Errno::ENOENT) ? fail!("missing", program(command)) : fail!("exit", e.class.name)
        keep("")
      end

      # A `kamal secrets` command, which Kamal runs in its own process.
      def inline(command)
        return keep("") if blocked?(command)

        words = words(command)[1..]
        before, ENV[SECRET] = ENV[SECRET], @name
        result = ::Kamal::Cli::Main.start(words + [ "--inline" ])
        if result.is_a?(String)
          fetch = words[1] == "fetch"
          keep(result, text: fetch, word: (fetched_word(result) if fetch))
        else
          fail!("error", "`kamal secrets #{words[1]}` gives nothing#{", --account may be missing" if words[1] == "fetch" && words.none? { |w| w.start_with?("--account") }}")
          keep("")
        end
      rescue Cancelled
        raise
      rescue SystemExit
        fail!("usage", unset(command))
        keep("")
      rescue StandardError => e
        fail!("error", told(e, command))
        keep("")
      ensure
        ENV[SECRET] = before
      end

      private
        def keep(value, trouble: nil, text: false, word: nil)
          @kept << Kept.new(value.dup.force_encoding(Encoding::UTF_8), trouble, text, word)
          "\u{F8E6}#{@kept.size - 1}\u{F8E7}"
        end

        def reveal(text) = replace(text) { |kept| kept.value }

        # What stands for tokens in a text.
        def tokens(text) = text.scan(TOKEN).filter_map { |(index)| @kept[index.to_i] }

        # What a text stands for that is one token and nothing else.
        def alone(text) = (token(text) if text.match?(/\A#{TOKEN}\z/o))

        # What a piece of text stands for, or nil.
        def token(piece) = (index = piece[TOKEN, 1]) && @kept[index.to_i]

        # gsub would look into values that are no UTF-8.
        def replace(text)
          text.split(/(\u{F8E6}\d+\u{F8E7})/).map { |piece| (kept = token(piece)) ? yield(kept) : piece }.join
        end

        # The declared secrets, for a command that reads its environment, such as
        # printenv. The system has room for two megabytes of it, 128 KiB a variable.
        def environment
          room = 1 << 20
          KamalOp.declared.select { |_, value| !value.include?("\0") && value.bytesize < 100_000 && (room -= value.bytesize) > 0 }
        end

        # The program of a command, as the file names it: "" where a value or something
        # else stands in its place. What the line has become may hold values.
        def program(command) = command[/\A\s*([\w.\/+-]{1,40})(?=\s|\z)/, 1].to_s

        # What went wrong, in words that hold no value: Kamal and its adapters write of
        # what they were given as arguments, a parser quotes what it reads.
        def told(error, command)
          return "a quote has no other half in the words of its `kamal secrets` command" if error.message.start_with?("Unmatched quote")
          return "#{error.class} in `kamal secrets`" unless [ RuntimeError, ::Kamal::ConfigurationError ].include?(error.class)

          given = tokens(command).flat_map { |kept| [ kept.value, kept.word, *kept.value.scrub.split(/[\s'"\\]+/) ] }
          given.compact.reject(&:empty?).sort_by { |text| -text.bytesize }.inject(error.message.scrub) do |message, text|
            message.gsub(text.scrub, "***")
          end.lines.first.to_s.strip[0, 300]
        end

        def fail!(how, detail) = @failed << { how: how, detail: detail.to_s.scrub }

        def blame(kept)
          @failed << kept.trouble if kept.trouble && !@failed.include?(kept.trouble)
        end

        # A command is not run on what did not arrive.
        def blocked?(command)
          depends = tokens(command).filter_map(&:trouble).select { |trouble| trouble[:how] == "depends" }
          @failed.concat(depends - @failed)
          depends.any?
        end

        def unset(command)
          tokens(command).filter_map(&:trouble).find { |trouble| trouble[:how] == "unset" }&.fetch(:detail)
        end

        # Exactly one newline is what the command added. Where it is known what it
        # adds, a carriage return before it belongs to the value.
        def without_newline(output, line)
          case line
          when /\A\s*op\s+read\s.*(\s-n|\s--no-newline)(\s|\z)/m then output
          when /\A\s*(op\s+read|(bundle\s+exec\s+)?\S*kamal\s+secrets)\s/ then output.delete_suffix("\n")
          else output.chomp
          end
        end

        # What a fetch gives, as the one word that a shell makes of it. Every field in
        # it is masked, extracted or not.
        def fetched_word(output)
          word = output.start_with?("\\{") ? output.shellsplit.first : output.chomp
          fields = JSON.parse(word)
          return unless fields.is_a?(Hash)

          @also.concat(fields.values.grep(String))
          word
        rescue JSON::ParserError, ArgumentError
          nil
        end

        # The words of a command. What a fetch gave is one, however long: a shell's
        # rules need not be gone through for each extract.
        def words(command)
          command.shellsplit.map do |word|
            next word if tokens(word).none?

            kept = alone(word)
            return reveal(command).shellsplit unless kept&.text && kept.word

            kept.word
          end
        end

        # The line for a shell, with values in it. dotenv would paste them, and the
        # shell would read them: one with $( ) or a quote in it goes by way of the
        # environment, quoted for the place where it stands.
        def shell(command)
          env = {}
          quote = nil
          line = +""
          command.split(/(\u{F8E6}\d+\u{F8E7})/).each do |piece|
            unless (kept = token(piece))
              quote = quoting(piece, quote)
              line << piece
              next
            end
            if kept.text || PLAIN.match?(kept.value.b)
              line << kept.value
            else
              name = "KAMAL_OP_VALUE_#{env.size}"
              env[name] = kept.value
              line << { "'" => %('"${#{name}}"'), '"' => "${#{name}}" }.fetch(quote, %("${#{name}}"))
            end
          end
          [ line, env ]
        end

        # The quote that is open after text.
        def quoting(text, quote)
          text.scan(/\\.|['"]/m) do |found|
            if found.start_with?("\\")
              quote = nil if quote == "'" && found == "\\'"
            elsif quote.nil?
              quote = found
            elsif quote == found
              quote = nil
            end
          end
          quote
        end
    end

    # The methods of dotenv, and of Kamal's substitution in it, that an evaluation
    # takes part in.
    module Fidelity
      class << self
        def install
          # Kamal's own first: it is what loads dotenv.
          command = ::Kamal::Secrets::Dotenv::InlineCommandSubstitution
          parser, variable = ::Dotenv::Parser, ::Dotenv::Substitutions::Variable
          KamalOp.known KamalOp.instance_method?(parser, :parse_value, 1) && KamalOp.instance_method?(parser, :existing?, 1) &&
            KamalOp.instance_method?(parser, :call, 0), "dotenv parses otherwise"
          KamalOp.known parser.respond_to?(:substitutions) && parser.substitutions.include?(command) && parser.substitutions.include?(variable),
            "dotenv substitutes otherwise"
          KamalOp.known command.respond_to?(:call) && KamalOp.instance_method?(command.singleton_class, :inline_secrets_command, 1),
            "Kamal substitutes otherwise"
          KamalOp.known substitutes?(variable, command), "it substitutes in another way than it is known to"

          parser.prepend(Parsed)
          variable.singleton_class.prepend(Substituted)
          command.singleton_class.prepend(Commanded)
        end

        private
          # Whether the two do with a sample what they are known to do.
          def substitutes?(variable, command)
            names = Object.new
            def names.[](name) = name == "KAMAL_OP_A" ? "<1>" : nil
            variable.call('$KAMAL_OP_A ${KAMAL_OP_A} \$KAMAL_OP_A $ $(KAMAL_OP_A $KAMAL_OP_A)', names) == '<1> <1> $KAMAL_OP_A $ $(KAMAL_OP_A <1>)' &&
              command.call('a \$(b $C) $D', {}) == 'a $(b $C) $D'
          rescue StandardError
            false
          end
      end

      module Parsed
        def call
          KamalOp.evaluation&.file
          super
        end

        private
          # The parser asks this of a name right before it reads its value.
          def existing?(key)
            KamalOp.evaluation&.name = key
            super
          end

          def parse_value(value)
            KamalOp.evaluation ? KamalOp.evaluation.finish(super) : super
          end
      end

      module Substituted
        def call(value, env, ...)
          KamalOp.evaluation ? super(value, KamalOp.evaluation.variables(env), ...) : super
        end
      end

      module Commanded
        def `(command)
          KamalOp.evaluation ? KamalOp.evaluation.run(command) : super
        end

        def inline_secrets_command(command)
          KamalOp.evaluation ? KamalOp.evaluation.inline(command) : super
        end
      end
    end
  end

  KamalOp::Held.watch if KamalOp::Held.given?

  if ENV["KAMAL_OP_PROBE"] || !KamalOp::SOCKET.empty?
    # Kamal's commands are the last thing that `require "kamal"` loads of interest.
    TracePoint.new(:end) do |trace|
      if trace.path.end_with?("/kamal/cli/main.rb") && trace.self.is_a?(Class) && trace.self.name == "Kamal::Cli::Main"
        trace.disable
        # A run asks before it relies on this: a bin/kamal may be a shell script around
        # a container, which RUBYOPT does not reach, or load Kamal from elsewhere.
        $stdout.puts(ENV["KAMAL_OP_PROBE"]) if ENV["KAMAL_OP_PROBE"]
        KamalOp.attach(trace.self) unless KamalOp::SOCKET.empty?
      end
    end.enable
  end
end
