# frozen_string_literal: true

module KamalOp
  # The deploy lock, which Kamal holds on the primary host. kamal-op is told when
  # it is taken and released, what its details say of the owner, and decides what
  # becomes of one that somebody else holds. All of it goes over the connection
  # that Kamal has.
  module DeployLock
    # Somebody else has the lock.
    class Held < StandardError; end

    class << self
      # What the lock's details say of its owner; nil leaves locks to Kamal.
      attr_accessor :mark
      attr_reader :place

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
        @place = place_of(cli)
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
        @taken = true
        tell("taken")
      ensure
        @acquiring = false
      end

      def acquiring? = @acquiring

      # Whether this Kamal has had the lock, or is one under it.
      def taken? = @taken || ENV["KAMAL_LOCK"] == "true"

      # Whether a lock with this message is the run's, and not one that a person takes.
      def marks?(message) = mark && message == mark["message"]

      # Right before the command that takes it is sent: from here on it may be ours.
      def taking = @acquiring && ask("taking")

      def released = @place && tell("released")

      # Places of locks that were taken are to keep them when the run is over.
      def kept(places) = places.each { |place| KamalOp.ask("lock", { event: "kept", place: place }) }

      # `kamal lock release` in a Kamal that is started to release a lock of the run.
      def release(cli)
        @place = place_of(cli)
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

        def place_of(cli)
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
        DeployLock.taking if DeployLock.marks?(message)
        super
      end

      private
        def lock_details(message, version)
          return super unless DeployLock.marks?(message)

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
end
