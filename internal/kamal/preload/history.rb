# frozen_string_literal: true

module KamalOp
  # A deploy that has had its lock leaves a line in Kamal's audit log on each of its
  # hosts. What stands there is kamal-op's to say.
  module History
    DEPLOYS = { "kamal_op_rotate" => "rotate" }.merge(%w[ deploy redeploy setup rollback ].to_h { |name| [ name, name ] }).freeze
    # How many seconds the hosts may take. One that is down is not to keep a run, and one
    # that is cancelled has three in all.
    PATIENCE = { "cancelled" => 1.5 }.tap { |patience| patience.default = 10 }.freeze

    class << self
      attr_accessor :on

      def install
        auditor = ::Kamal::Commands::Auditor
        KamalOp.known KamalOp.instance_method?(auditor, :audit_line, -2) && KamalOp.instance_method?(auditor, :audit_log_file, 0) &&
          KamalOp.instance_method?(auditor, :make_run_directory, 0), "its audit log is another"
        KamalOp.known ::Kamal::Cli::Main.method_defined?(:invoke_command), "Thor runs commands otherwise"
        ::Kamal::Cli::Main.prepend(Kept)
      end

      def keep(cli, command)
        began, how = Process.clock_gettime(Process::CLOCK_MONOTONIC), "failed"
        yield.tap { how = "done" }
      rescue Cancelled
        how = "cancelled"
        raise
      ensure
        write(cli, command, how, Process.clock_gettime(Process::CLOCK_MONOTONIC) - began) if DeployLock.taken?
      end

      private
        def write(cli, command, how, took)
          reply = KamalOp.ask("ended", { command: command, version: ::KAMAL.config.version.to_s, how: how, took: took })
          line = reply["line"].to_s
          return if line.empty?

          auditor = ::KAMAL.auditor
          # Kamal's own quoting leaves a shell its variables.
          words = [ *auditor.send(:make_run_directory), "&&", :printf, "'%s\\n'", KamalOp::History.quoted(auditor.send(:audit_line, line)), ">>", auditor.send(:audit_log_file) ]
          asked = reply["past"] ? (reply["hosts"] || ::KAMAL.app_hosts).first.to_s : nil
          require "timeout"
          Timeout.timeout(PATIENCE[how]) do
            cli.send(:on, reply["hosts"] || ::KAMAL.app_hosts) do |host|
              KamalOp::History.tell_past(self, auditor) if host.to_s == asked
              execute(*words, verbosity: Logger::DEBUG)
            rescue ::StandardError => e
              $stdout.puts "How the deploy ended could not be written down on #{host}: #{e.message.lines.first}"
            end
          end
        rescue Cancelled
          raise
        rescue ::StandardError => e
          # A deploy is what it is, whether that can be written down or not.
          $stdout.puts "How the deploy ended could not be written down: #{e.message.lines.first}"
        end
    end

    # What a host has kept of the deploys before this one: as much as is compared with it.
    # Where that cannot be read, nothing is.
    def self.tell_past(host, auditor)
      lines = host.capture("grep -aF ' kamal-op: {\"run\":' #{auditor.send(:audit_log_file)} 2>/dev/null | tail -n 60 | tail -c 262144; true",
        verbosity: Logger::DEBUG, strip: false, raise_on_non_zero_exit: false).to_s
      KamalOp.tell("past", { log: lines.scrub })
    end

    def self.quoted(text) = "'#{text.gsub("'", %q('\\\\''))}'"

    module Kept
      def invoke_command(command, *)
        name = DEPLOYS[command.name]
        return super unless History.on && name

        History.keep(self, name) { super }
      end
    end
  end
end
