# frozen_string_literal: true

module KamalOp
  class << self
    # Kamal is about to log in to a registry on this machine.
    def registry_login(server)
      reply = ask("login", { server: server })
      stop(reply["stop"]) if reply["stop"]
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
end
