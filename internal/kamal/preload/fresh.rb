# frozen_string_literal: true

module KamalOp
  # New code that runs before it is booted has the secrets of now, and not those of the
  # last boot. In a deploy, the env files are written before the pre-deploy hook, under
  # its lock, as the boot will write them. A new container of `app exec` gets an env file
  # of its own, which is gone before the container runs.
  module FreshEnv
    DEPLOYS = %w[ deploy redeploy setup ].freeze

    @files = {}

    class << self
      attr_accessor :on

      def install
        role, app = ::Kamal::Configuration::Role, ::Kamal::Commands::App
        KamalOp.known KamalOp.instance_method?(role, :secrets_io, 1) && KamalOp.instance_method?(role, :secrets_path, 0) &&
          KamalOp.instance_method?(role, :env_args, 1) && KamalOp.instance_method?(role, :env_directory, 0) && app.method_defined?(:ensure_env_directory), "it writes its env files otherwise"
        KamalOp.known KamalOp.instance_method?(::Kamal::Cli::Main, :run_hook, -2) && KamalOp.instance_method?(::Kamal::Cli::Main, :command, 0), "it runs hooks otherwise"
        KamalOp.known KamalOp.instance_method?(::Kamal::Cli::App, :exec, -1) && KamalOp.instance_method?(app, :execute_in_new_container, -2), "it runs commands of the app otherwise"
        ::Kamal::Cli::Main.prepend(BeforeHook)
        ::Kamal::Cli::App.prepend(Exec)
        app.prepend(OwnFile)
      end

      # Each role's file on each host, as the boot writes it, and the network that the boot
      # of the proxy makes: on a first deploy there is none.
      def upload(cli)
        $stdout.puts "Write the env files for the pre-deploy hook..."
        write(cli, ::KAMAL.app_hosts) { |role, _| role.secrets_path }
        cli.send(:on, ::KAMAL.app_hosts) do
          execute(*::KAMAL.docker.create_network, verbosity: Logger::DEBUG, raise_on_non_zero_exit: false)
        end
      end

      # For as long as a command of the app is prepared, each new container has a file.
      def with_files(cli, quiet:, primary:)
        hosts = primary ? [ ::KAMAL.primary_host ] : ::KAMAL.app_hosts
        about = quiet ? ->(&block) { ::KAMAL.with_verbosity(:error, &block) } : ->(&block) { block.call }
        about.call do
          sweep(cli, hosts)
          write(cli, hosts, primary: primary) { |role, host| file(role, host) }
        end
        yield
      rescue ::StandardError
        remove(cli)
        raise
      end

      # The file that is to be used for a new container, once.
      def take(role, host) = KamalOp.lock.synchronize { @files.delete([ host.to_s, role.to_s ]) }

      private
        def write(cli, hosts, primary: false)
          ::KAMAL.config.secrets.to_h # before the first connection
          cli.send(:on, hosts) do |host|
            (primary ? [ ::KAMAL.primary_role ] : ::KAMAL.roles_on(host)).each do |role|
              path = yield(role, host)
              own = path != role.secrets_path # beside it what the last boot has left stays
              execute(*(own ? [ :mkdir, "-p", role.env_directory ] : ::KAMAL.app(role: role, host: host).ensure_env_directory))
              upload!(role.secrets_io(host), path, mode: "0600")
            end
          end
        end

        # What is left of a command of which the ssh was cut off, or that was killed.
        def sweep(cli, hosts)
          ::KAMAL.config.secrets.to_h # before the first connection
          cli.send(:on, hosts) do
            ::KAMAL.roles_on(host).map(&:env_directory).uniq.each do |directory|
              execute(:find, directory, "-name", "'*.env.????????????????*'", "-mmin", "+60", "-delete", verbosity: Logger::DEBUG, raise_on_non_zero_exit: false)
            end
          end
        end

        def file(role, host)
          path = "#{role.secrets_path}.#{SecureRandom.hex(8)}"
          KamalOp.lock.synchronize { @files[[ host.to_s, role.to_s ]] = path }
        end

        # What no container has taken, since the command did not come to that.
        def remove(cli)
          left = KamalOp.lock.synchronize { @files.group_by { |(host, _), _| host }.tap { @files = {} } }
          return if left.empty?

          cli.send(:on, left.keys) do |host|
            execute(:rm, "-f", *left.fetch(host.to_s).flat_map { |_, path| [ path, "#{path}#{ExactValues::ENDING}" ] }, raise_on_non_zero_exit: false)
          end
        rescue ::StandardError => e
          raise if e.is_a?(Cancelled)
          $stdout.puts "Could not remove the env file of #{left.keys.join(", ")}: #{e.message.lines.first}"
        end
    end

    module BeforeHook
      private
        def run_hook(hook, **)
          FreshEnv.upload(self) if FreshEnv.on && hook == "pre-deploy" && DEPLOYS.include?(command) && !options[:skip_hooks] && ::KAMAL.hook.hook_exists?(hook)
          super
        end
    end

    module Exec
      def exec(*cmd)
        return super if !FreshEnv.on || options[:reuse] || cmd.empty?

        FreshEnv.with_files(self, quiet: options[:raw], primary: options[:interactive]) { super }
      end
    end

    module OwnFile
      # The shell on the host opens the file and takes it away, and docker reads what is
      # open: nothing is left of it, however the rest ends.
      def execute_in_new_container(*, **)
        words = super
        path = FreshEnv.take(role, host) if words.include?("--env-file")
        return words unless path

        words = ExactValues.without(words)
        words[words.index("--env-file") + 1] = "/dev/fd/3"
        return [ :exec, "3<", path, "&&", :rm, "-f", path, "&&", *words ] if ExactValues.of(role.env(host)).empty?

        exact = "#{path}#{ExactValues::ENDING}"
        [ :exec, "3<", path, "4<", exact, "&&", :rm, "-f", path, exact, "&&", *ExactValues.reading("/dev/fd/4", words) ]
      end
    end
  end
end
