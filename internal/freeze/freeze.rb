# Adds three commands to Kamal: one says which deploy locks the app's hosts have, one
# takes them to stay, one runs on each host what gives them back. Required before our
# own preload, which marks the locks.
require "json"
require "shellwords"

module KamalOpFreeze
  WANTED = JSON.parse(ENV.delete("KAMAL_OP_FREEZE") || "{}")

  class << self
    # Every host that a command may take the lock on, that of a whole deploy first.
    def hosts = ([ KAMAL.config.primary_host ] | KAMAL.config.all_hosts).map(&:to_s)
  end

  def kamal_op_locks
    look = "#{KamalOpFreeze::WANTED["look"]} #{KAMAL.lock.send(:lock_dir).shellescape}"
    kamal_op_tell_locks(KamalOpFreeze.hosts.to_h { |host| [ host, look ] })
  end

  def kamal_op_freeze
    lock = KamalOp::DeployLock
    taken = KamalOpFreeze::WANTED["hosts"].map do |host|
      KAMAL.with_specific_hosts([ host ]) do
        ensure_run_directory
        lock.acquire(self) do
          raise_if_locked do
            on(host) { execute(*KAMAL.lock.acquire(lock.mark["message"], KamalOpHosts.version("?")), verbosity: :debug) }
          end
        end
      end
      lock.place
    end
    lock.kept(taken)
    kamal_op_locks
  end

  def kamal_op_thaw
    kamal_op_tell_locks(KamalOpFreeze::WANTED["commands"])
  end

  # Runs a command about the lock on each host, and tells what it has printed.
  def kamal_op_tell_locks(commands)
    found, why = KamalOpHosts.ask(self, commands.keys) do |backend, host|
      { host: host, output: [ backend.capture(commands[host], verbosity: :debug, strip: false, raise_on_non_zero_exit: false).to_s ].pack("m0") }
    end
    places = commands.keys.map { |host| found[host] || { host: host, why: why[host] } }
    $stdout.puts "@kamal-op-locks #{JSON.generate({ dir: KAMAL.lock.send(:lock_dir), destination: KAMAL.config.destination.to_s, places: places })}"
    $stdout.flush
  end
end

TracePoint.new(:end) { |t|
  if t.self.class == Class && t.self.name == "Kamal::Cli::Main"
    t.self.class_eval do
      { kamal_op_locks: "Say which deploy locks there are", kamal_op_freeze: "Take the deploy locks to stay", kamal_op_thaw: "Give deploy locks back" }.each do |name, says|
        desc name.to_s, says
        define_method(name, KamalOpFreeze.instance_method(name))
      end
      no_commands do
        define_method(:kamal_op_tell_locks, KamalOpFreeze.instance_method(:kamal_op_tell_locks))
      end
    end
    t.disable
  end
}.enable
