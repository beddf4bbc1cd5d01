# Adds two commands to Kamal. The one tells what runs with which secrets, also where a
# host cannot be reached; the other boots what was chosen of that, at the version that
# runs. Required after the Ruby that holds running containers against the secrets.
require "json"
require "rbconfig"

module KamalOpRotate
  BOOTS = ENV.delete("KAMAL_OP_ROTATE").to_s
  # What runs is not what was chosen any more: nothing was booted.
  CHANGED = 75

  class << self
    # Whether the image that has the version's name on the host is another than the one
    # that runs. One that is not there any more is pulled by its name.
    def other_image?(backend, container, version)
      ids = [ [ "inspect", "--format", "'{{.Image}}'", container ], [ "image", "inspect", "--format", "'{{.Id}}'", "#{KAMAL.config.repository}:#{version}" ] ]
      runs, named = ids.map { |words| backend.capture("docker", *words, verbosity: Logger::DEBUG, raise_on_non_zero_exit: false).strip }
      named.start_with?("sha256:") && named != runs
    end

    # The words of Kamal's command for a boot.
    def words(boot, options)
      command = boot["accessory"] ? [ "accessory", "reboot", boot["accessory"] ] : [ "app", "boot", "--version=#{boot["version"]}", "--roles=#{boot["role"]}" ]
      command + [ "--hosts=#{boot["hosts"].map { |host| host["host"] }.join(",")}" ] + KamalOp::Boots.flags(options)
    end
  end

  def kamal_op_rotatable
    KAMAL.config.secrets.to_h # all that is wrong with them is told before a host is asked
    found, unreached = kamal_op_look(KamalOpRunning.asks, images: true)
    other = found.select { |place| place.delete(:other) }.map { |place| place.slice(:host, :role) }
    KamalOpRunning.tell(found)
    $stdout.puts "@kamal-op-rotate #{JSON.generate({ lock: KAMAL.config.primary_host.to_s, version: KamalOpHosts.version(""), unreached: unreached, other: other })}"
    $stdout.flush
  end

  # Boots each of the chosen under the lock of a deploy, which lies on the first host of
  # all: with some hosts chosen, Kamal's own commands would take one of these for it.
  def kamal_op_rotate
    KAMAL.config.secrets.to_h
    boots = JSON.parse(KamalOpRotate::BOOTS)
    KAMAL.specific_hosts = [ KAMAL.config.primary_host ] # the only one that the lock needs
    status = 0
    with_lock do
      status = kamal_op_as_chosen?(boots) ? kamal_op_boot(boots) : KamalOpRotate::CHANGED
    end
    exit(status) unless status.zero?
  end

  # What the hosts have for what is asked, and why some cannot be asked.
  def kamal_op_look(asks, images: false)
    salt = SecureRandom.hex(32)
    found = asks.map { |ask| KamalOpRunning.nothing(ask) }
    _, why = KamalOpHosts.ask(self, asks.map { |ask| ask[:host] }.uniq) do |backend, host|
      asks.each_with_index do |ask, n|
        next unless ask[:host] == host

        found[n].merge!(KamalOpRunning.answer(backend, ask, salt).to_h)
        version = found[n][:version].to_s
        found[n][:other] = KamalOpRotate.other_image?(backend, found[n][:container], version) if images && version.match?(KamalOp::Boots::VERSION)
      end
    end
    unreached = why.map { |host, reason| { host: host, why: reason } }
    [ found.reject { |place| why[place[:host]] }, unreached ]
  end

  # Whether each container that is to be replaced still runs: somebody else may have
  # deployed until the lock was free.
  def kamal_op_as_chosen?(boots)
    chosen = boots.flat_map { |boot| boot["hosts"].map { |host| [ host["host"], boot["role"], boot["accessory"], host["id"] ] } }
    KAMAL.with_specific_hosts(chosen.map(&:first).uniq) do
      found, = kamal_op_look(KamalOpRunning.asks)
      (chosen - found.map { |place| place.values_at(:host, :role, :accessory, :id) }).empty?
    end
  end

  # Each is a Kamal of its own, under the lock that this one holds. The first that
  # fails is the last.
  def kamal_op_boot(boots)
    failed = boots.find { |boot| !system({ "KAMAL_LOCK" => "true" }, RbConfig.ruby, $PROGRAM_NAME, *KamalOpRotate.words(boot, options)) }
    failed ? 1 : 0
  end
end

TracePoint.new(:end) { |t|
  if t.self.class == Class && t.self.name == "Kamal::Cli::Main"
    t.self.class_eval do
      desc "kamal_op_rotatable", "Say what runs with which secrets"
      define_method(:kamal_op_rotatable, KamalOpRotate.instance_method(:kamal_op_rotatable))
      desc "kamal_op_rotate", "Boot again what was chosen"
      define_method(:kamal_op_rotate, KamalOpRotate.instance_method(:kamal_op_rotate))
      no_commands do
        %i[ kamal_op_look kamal_op_as_chosen? kamal_op_boot ].each { |name| define_method(name, KamalOpRotate.instance_method(name)) }
      end
    end
    t.disable
  end
}.enable
