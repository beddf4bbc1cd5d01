# frozen_string_literal: true

module KamalOp
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

      # What another Kamal is told of the same project.
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

  # Kamal says of accessories only what it runs for them. The line is read as the
  # beginning of a phase.
  module Named
    def boot(name, ...)
      $stdout.puts "Boot accessory #{name}..." unless name == "all"
      super
    end
  end
end
