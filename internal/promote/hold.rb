# Holds a deploy to the image that was promoted, whatever has the version's name in the
# registry by now: on every host, after the image is pulled, and once more right before
# the app is booted, under the deploy lock. Nothing is booted where one has another.
#
# It stays in the environment: a Kamal that a hook runs is held to it as well, where it
# boots the same image. What such a Kamal boots besides is the hook's; the promotion's own
# boots no image of another name, whatever ERB makes of the configuration this time.
require "json"

module KamalOpPromoted
  IMAGE = JSON.parse(ENV["KAMAL_OP_PROMOTED"] || "{}")
  # The status of a deploy that was stopped when it had changed nothing.
  STOPPED = 75
  # The process that promotes: of those that come after, hooks have started each.
  FIRST = "KAMAL_OP_PROMOTING"

  class Moved < StandardError; end

  class << self
    # The hosts that have another image under the name, or none.
    def hold(cli, pulled: false)
      return unless IMAGE["name"]

      name = KAMAL.config.absolute_image
      if name != IMAGE["name"]
        return unless ENV[FIRST] == Process.pid.to_s

        stop "the configuration names #{name} now, and not #{IMAGE["name"]}, which is promoted: nothing is booted", pulled
      end
      others = []
      cli.send(:on, KAMAL.app_hosts) do |host|
        text = capture("docker", "image", "inspect", "--format", "'{{.Id}}{{range .RepoDigests}} {{.}}{{end}}'", IMAGE["name"], verbosity: Logger::DEBUG, raise_on_non_zero_exit: false)
        id, *digests = text.split
        others << host.to_s unless IMAGE["ids"].include?(id) || digests.any? { |digest| IMAGE["digests"].include?(digest.split("@").last) }
      end
      return if others.empty?

      stop "on #{others.sort.join(", ")} #{IMAGE["name"]} is another image than the one that #{IMAGE["from"]} runs: nothing is booted", pulled
    end

    private
      def stop(why, pulled)
        at_exit { exit(STOPPED) } if pulled
        raise Moved, why
      end
  end

  module Pull
    def pull(...) = super.tap { KamalOpPromoted.hold(self, pulled: true) }
  end

  module Boot
    def boot(...)
      with_lock do
        KamalOpPromoted.hold(self)
        super
      end
    end
  end
end

parts = { "Kamal::Cli::Build" => KamalOpPromoted::Pull, "Kamal::Cli::App" => KamalOpPromoted::Boot }
TracePoint.new(:end) { |t|
  next unless t.self.class == Class && (part = parts.delete(t.self.name))

  name = part.instance_methods(false).first
  abort "kamal-op: this Kamal has no command #{name} that could be held to an image" unless t.self.method_defined?(name)
  t.self.prepend(part)
  ENV[KamalOpPromoted::FIRST] ||= Process.pid.to_s
  t.disable if parts.empty?
}.enable
