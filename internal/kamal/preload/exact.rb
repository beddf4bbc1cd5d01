# frozen_string_literal: true

module KamalOp
  # Values that Kamal's env file changes, or cannot hold, reach the container as they are
  # (--exact-values). Beside each env file lies one in a shell's form, uploaded with it
  # and as private. The shell that starts docker run reads it: docker takes the values out
  # of its environment, and its arguments have their names.
  module ExactValues
    # What the file is called: the env file's name, and this.
    ENDING = ".exact"
    # Docker takes no longer line of an env file.
    LONGEST = 65_535

    # How a container begins that was to have the file, and one that has what is there: a
    # Kamal by itself writes the env file alone, and what is older than that is past. The
    # words of docker run stay as Kamal has quoted them, for whichever shell logs in.
    READ = %q('. "$0" && exec "$@"')
    READ_IF_THERE = %q('test -e "$0" && { test "${0%.exact}" -nt "$0" || . "$0"; }; exec "$@"')

    class << self
      # true for all secrets, or the names of those that are to be exact; nil for none.
      attr_accessor :wanted

      def install
        env, app, accessory = ::Kamal::Configuration::Env, ::Kamal::Commands::App, ::Kamal::Commands::Accessory
        KamalOp.known KamalOp.instance_method?(env, :secrets_io, 0) && KamalOp.instance_method?(env, :secret_keys, 0) && KamalOp.instance_method?(env, :secrets, 0) &&
          KamalOp.instance_method?(::Kamal::Configuration::Role, :secrets_path, 0) && KamalOp.instance_method?(::Kamal::Configuration::Accessory, :secrets_path, 0), "it writes its env files otherwise"
        KamalOp.known [ app, accessory ].all? { |command| KamalOp.instance_method?(command, :ensure_env_directory, 0) && KamalOp.instance_method?(command, :docker, -1) } &&
          KamalOp.instance_method?(app, :role, 0) && KamalOp.instance_method?(app, :host, 0) && KamalOp.instance_method?(accessory, :accessory_config, 0), "it runs docker otherwise"
        KamalOp.known KamalOp.instance_method?(::SSHKit::Backend::Netssh, :upload!, -3), "SSHKit uploads otherwise"
        env.prepend(Splits)
        ::SSHKit::Backend::Netssh.prepend(BothUploaded)
        app.prepend(OfRole, Reads)
        accessory.prepend(OfAccessory, Reads)
      end

      # Of an environment's secrets, those that are handed over as they are, by the name
      # that the container knows.
      def of(env)
        return {} unless wanted

        named(env).select { |_, secret| wanted == true || wanted.include?(secret) }.transform_values { |secret| env.secrets[secret] }
          .reject { |variable, value| line(variable, value)&.b == "#{variable}=#{value}".b }
      end

      # The env file, with what it can hold of these, too: Kamal by itself, which does not
      # know the second file, has what it would have written.
      def env_file(env)
        values = named(env).transform_values { |secret| env.secrets[secret] }
        ::Kamal::EnvFile.new(values.select { |variable, value| line(variable, value) }).to_io
      end

      # What the shell reads. Words of docker run stand in its arguments, docker and run
      # first; of the values these get the names, before all that Kamal says of others.
      def script(values)
        names = values.keys
        [ "# #{names.join(" ")}", "shift 2", "set -- docker run #{names.map { |name| "--env #{name}" }.join(" ")} \"$@\"",
          *values.map { |name, value| "export #{name}='#{value.gsub("'") { %q('\\'') }}'" } ].join("\n") << "\n"
      end

      # The words of a docker run, begun by a shell that reads the file.
      def reading(path, words, read = READ) = [ :sh, "-c", read, path, *words ]

      # The words as Kamal has them.
      def without(words) = words.drop(words.index(:docker) || 0)

      private
        # The secrets by the names that the container knows. Of two of one name Kamal takes
        # the last: a tag's comes after the app's.
        def named(env) = env.secret_keys.to_h { |key| key.split(":", 2).then { |variable, secret| [ variable, secret || variable ] } }

        # What the env file has of a value, nil where it cannot have it.
        def line(variable, value)
          written = ::Kamal::EnvFile.new(variable => value).to_s.delete_suffix("\n")
          written if written.bytesize <= LONGEST
        rescue Cancelled
          raise
        rescue ::StandardError
          nil # a Kamal that refuses to write what it would have to change
        end
    end

    # An env file that has another one beside it: its text.
    module InTwo
      attr_accessor :beside
    end

    module Splits
      def secrets_io
        exact = ExactValues.of(self)
        return super if exact.empty?

        ExactValues.env_file(self).extend(InTwo).tap { |file| file.beside = ExactValues.script(exact) }
      end
    end

    module BothUploaded
      def upload!(local, remote, *options)
        super.tap { super(StringIO.new(local.beside), "#{remote}#{ENDING}", *options) if local.is_a?(InTwo) }
      end
    end

    module OfRole
      private
        def exact_values = ExactValues.of(role.env(host))

        def env_file_path = role.secrets_path
    end

    module OfAccessory
      private
        def exact_values = ExactValues.of(accessory_config.env)

        def env_file_path = accessory_config.secrets_path
    end

    module Reads
      # Before a boot: what an earlier one has left beside the env file goes.
      def ensure_env_directory = exact_values.empty? ? [ *super, "&&", :rm, "-f", "#{env_file_path}#{ENDING}" ] : super

      private
        # A container that stays is one that is booted, whose file was uploaded right
        # before. Any other, of a command, has what the last boot has left.
        def docker(*words)
          super.then do |all|
            next all unless ExactValues.wanted && words.first == :run && all.include?("--env-file")

            path = "#{env_file_path}#{ENDING}"
            next ExactValues.reading(path, all, READ_IF_THERE) unless all.include?("--restart")

            exact_values.empty? ? all : ExactValues.reading(path, all)
          end
        end
    end
  end
end
