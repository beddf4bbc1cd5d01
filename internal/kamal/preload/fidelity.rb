# frozen_string_literal: true

module KamalOp
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
          false # they do something else, which is what was asked
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
