# frozen_string_literal: true

# Loaded by RUBYOPT into every Ruby process of a kamal-op run. Only Kamal gets past
# the next lines: `kamal`, `bin/kamal`, `bundle exec kamal`, also from a hook.
kamal_op_program = File.basename($PROGRAM_NAME)
return unless kamal_op_program.start_with?("kamal") ||
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
      Early.attach(main) if Early.waiting?
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
        early: Early.waiting?, pid: Process.pid, kamal: version("Kamal"), dotenv: version("Dotenv"), ruby: RUBY_VERSION,
        aside: @aside.map { |what, why| { part: what, why: why } }
      })
      Early.over
      DeployLock.mark = reply["mark"]
      @forward_agent, @pins, @log_in, @agent = reply.values_at("forward_agent", "known_hosts", "log_in", "agent")
      ENV["SSH_AUTH_SOCK"] = @agent if @agent
      Boots.roll_back, FreshEnv.on, ExactValues.wanted, History.on = reply.values_at("roll_back", "fresh_env", "exact_values", "history")
      Reuse.on, Reuse.key = reply.values_at("reuse_image", "build_key")
      @declared = reply.fetch("declared", {}).transform_values { |value| decode(value) }
      # Where $NAME is not answered here, the environment has to do it.
      ENV.update(@declared.reject { |_, value| value.include?("\0") }) unless @faithful
      stop(reply["stop"]) if reply["stop"]
    end

    # Before a command of Kamal's own is run, nested ones too.
    def before(cli, command)
      return unless EAGER[cli.class.name]&.include?(command)

      @skip_hooks = cli.options[:skip_hooks]
      @command ||= cli.class.name == "Kamal::Cli::Main" ? command : "#{cli.class.name.split("::").last.downcase} #{command}"
      ::KAMAL.config.secrets.to_h
    end

    private
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
        part "handing values over as they are" do
          ExactValues.install
        end
        part "writing down how a deploy ended" do
          History.install
        end
        part "giving new code the secrets of now before it is booted" do
          FreshEnv.install
        end
        part "building no image twice" do
          Reuse.install
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

      def part(what)
        yield
      rescue StepAside, NameError, LoadError => e
        @aside << [ what, e.is_a?(NameError) ? "a name that it is written for is not there (#{e.name})" : e.message ]
      end

      def version(name)
        Object.const_get(name)::VERSION.to_s
      rescue NameError
        "?" # kamal-op is told that it is not known
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
end
