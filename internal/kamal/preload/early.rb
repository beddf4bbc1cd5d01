# frozen_string_literal: true

# A Kamal that is started before the secrets are known. It loads its commands, and
# waits for kamal-op's answer before the first of them begins. Until then it runs
# nothing and connects to nobody: should it try to, it is another Kamal than this
# file knows, and ends, for kamal-op to start it in the usual way.
module KamalOp
  module Early
    VARIABLE = "KAMAL_OP_EARLY"

    @waiting = ENV.key?(VARIABLE)
    ENV.delete(VARIABLE) # it is said to this process alone

    class << self
      def waiting? = @waiting

      def watch
        guard(Kernel, Commands, private: true)
        guard(Kernel.singleton_class, Commands)
        guard(Process.singleton_class, Commands)
        guard(IO.singleton_class, Pipes)
        # Reading and writing are Ruby's own way of starting a program as well.
        [ Kernel, Kernel.singleton_class, IO.singleton_class ].each { |owner| guard(owner, Files, private: owner == Kernel) { |name| name.is_a?(String) && name.start_with?("|") } }
        # Neither of these is of a gem, whose version the bundle would choose.
        load_part("pty") { guard(PTY.singleton_class, Terminals) }
        load_part("socket.so") do
          guard(TCPSocket, Sockets, private: true)
          [ Socket, UDPSocket ].each { |owner| guard(owner, Connects) }
          guard(UNIXSocket, Sockets, private: true) { |path| path != SOCKET }
        end
        # Net::SSH is not loaded here: which one it is, is for Kamal's bundle to say.
        @trace = TracePoint.new(:end) { |trace| hold(trace.self) }
        @trace.enable
      end

      # Kamal's commands are loaded, and all of the preload with them.
      def attach(main)
        main.singleton_class.prepend(Begin)
      end

      # kamal-op has answered.
      def over
        @waiting = false
        @trace&.disable
        # Of an initialize that goes Ruby warns, in the log of whoever deploys.
        verbose, $VERBOSE = $VERBOSE, nil
        @guards&.each { |guard| guard.instance_methods(false).concat(guard.private_instance_methods(false)).each { |name| guard.send(:remove_method, name) } }
        @guards = nil
      ensure
        $VERBOSE = verbose
      end

      # Ends the process without a word, and without what it has registered for its end.
      def leave(why)
        require "socket"
        # The answer is waited for: of a process that has ended nobody can say which it was.
        UNIXSocket.open(SOCKET) do |socket|
          socket.write(%({"hello":{"pid":#{Process.pid},"apart":"#{why}"}}\n))
          socket.read
        end
      rescue SystemCallError, LoadError
        # Then kamal-op is gone, or sees it by our end.
      ensure
        exit!(1)
      end

      private
        def hold(owner)
          return unless owner.is_a?(Module) && Held::NAME.bind_call(owner) == "Net::SSH" && owner.respond_to?(:start)

          guard(owner.singleton_class, Connections)
        end

        def load_part(path)
          require path
          yield
        rescue LoadError
          # This Ruby has none.
        end

        # A guard leaves at every call, or at those whose first argument is one to leave at.
        def guard(owner, names, private: false, &leaves)
          guard = Module.new
          names.each do |name|
            next unless owner.method_defined?(name) || owner.private_method_defined?(name)

            called = name == :initialize ? "#{owner}.new" : name
            guard.define_method(name) do |*args, **options, &block|
              next Early.leave("it calls #{called}") if Early.waiting? && (leaves.nil? || leaves.call(args.first))

              super(*args, **options, &block)
            end
            guard.send(:private, name) if private
          end
          owner.prepend(guard)
          (@guards ||= []) << guard
        end
    end

    Commands = %i[ system spawn exec fork daemon ` ].freeze
    Pipes = %i[ popen ].freeze
    Files = %i[ open read binread readlines foreach write binwrite ].freeze
    Terminals = %i[ spawn getpty ].freeze
    Sockets = %i[ initialize ].freeze
    Connects = %i[ connect connect_nonblock __connect_nonblock ].freeze
    Connections = %i[ start ].freeze

    # The first command of all.
    module Begin
      def start(...)
        KamalOp.take_place if Early.waiting?
        super
      end
    end
  end
end
