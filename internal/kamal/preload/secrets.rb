# frozen_string_literal: true

# What Kamal holds of secrets, before it goes on.
module KamalOp
  class << self
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

    def evaluation = Thread.current[:kamal_op_evaluation]

    def evaluating
      Thread.current[:kamal_op_evaluation] = Evaluation.new
      yield evaluation
    ensure
      Thread.current[:kamal_op_evaluation] = nil
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

    private
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

  # `bin/kamal secrets extract` in a secrets file is another process. `puts` adds
  # no newline to a value that ends in one, and the reader takes one away.
  module WholeLine
    private
      def return_or_puts(value, inline: nil)
        return super if inline || !ENV.key?(SECRET)

        $stdout.write("#{value}\n")
      end
  end
end
