# Adds two commands to Kamal. The one tells what runs of the app, with the images'
# digests, and what the configuration would have images built of; the other tells what a
# deploy would change besides. Required after the Ruby of a plan. Of secrets and of build
# arguments there are digests alone, with a key that the run has made. The registry's
# login goes to kamal-op by the run's socket, where that is to copy the image.
require "json"
require "openssl"

module KamalOpPromote
  KEY = ENV.delete("KAMAL_OP_PROMOTE_KEY").to_s
  COPIED = ENV.delete("KAMAL_OP_PROMOTE_COPY")
  ID = /\A[0-9a-f]{12,64}\z/
  CONTAINER = '{"name":{{json .Name}},"image":{{json .Image}}}'
  IMAGE = '{"digests":{{json .RepoDigests}},"labels":{{json .Config.Labels}}}'

  class << self
    # What the build takes in beside the files of the commit.
    def build(builder)
      {
        args: digests(builder.args), secrets: digests(builder.secrets), platforms: builder.arches.map { |arch| "linux/#{arch}" },
        dockerfile: builder.dockerfile.to_s, target: builder.target.to_s, context: builder.context.to_s,
        pack: builder.pack? ? [ builder.pack_builder, *builder.pack_buildpacks ].map(&:to_s) : []
      }
    end

    def tell_login(registry)
      reply = KamalOp.ask("registry", { username: registry.username.to_s, password: KamalOp.encode(registry.password) })
      KamalOp.stop(reply["stop"]) if reply["stop"]
    end

    private
      def digests(values)
        values.to_h { |name, value| [ name.to_s, OpenSSL::HMAC.hexdigest("SHA256", KEY, value.nil? ? "" : "=#{value}") ] }
      end
  end

  # What runs on one host in a role, over Kamal's connection to it.
  class Place
    def initialize(backend, host, role)
      @backend, @host, @role = backend, host.to_s, role
    end

    def look
      found = { host: @host, role: @role.name.to_s, container: "", version: "", image: "", digests: [], service: "" }
      id = ask(*KAMAL.app(role: @role, host: @host).current_running_container_id).strip
      return found unless id.match?(ID)

      container = JSON.parse(ask("docker", "inspect", "--format", "'#{CONTAINER}'", id))
      name, image = container["name"].delete_prefix("/"), container["image"].to_s
      version = KamalOpRunning.version("#{name} ", { prefix: @role.container_prefix })[:version].to_s
      found.merge(container: name, version: version, image: image, **labelled(image))
    end

    private
      # An image that lost its last name has no digest any more; it has its id.
      def labelled(image)
        text = ask("docker", "image", "inspect", "--format", "'#{IMAGE}'", image).strip
        return {} if text.empty?

        told = JSON.parse(text)
        { digests: Array(told["digests"]).map { |digest| digest.split("@").last }, service: told["labels"].to_h["service"].to_s }
      end

      def ask(*words) = @backend.capture(*words, verbosity: Logger::DEBUG, raise_on_non_zero_exit: false).scrub
  end

  def kamal_op_promotable
    config = KAMAL.config
    build = KamalOpPromote.build(config.builder) # what is wrong with its secrets is told before a host is asked
    KamalOpPromote.tell_login(config.registry) if KamalOpPromote::COPIED
    found, why = KamalOpHosts.ask(self, KAMAL.app_hosts.map(&:to_s).uniq) do |backend, host|
      KAMAL.roles_on(host).map { |role| Place.new(backend, host, role).look }
    end
    report = {
      service: config.service, repository: config.repository, version: KamalOpHosts.version(""), build: build,
      containers: found.values.flatten, unreached: why.map { |host, reason| { host: host, why: reason } }
    }
    $stdout.puts "@kamal-op-promote #{JSON.generate(report)}"
    $stdout.flush
  end

  # A deploy of the version: what it would change, and the same of this destination.
  def kamal_op_promotion
    kamal_op_plan
    kamal_op_promotable
  end
end

TracePoint.new(:end) { |t|
  if t.self.class == Class && t.self.name == "Kamal::Cli::Main"
    t.self.class_eval do
      desc "kamal_op_promotable", "Say what runs, and what images are built of"
      define_method(:kamal_op_promotable, KamalOpPromote.instance_method(:kamal_op_promotable))
      desc "kamal_op_promotion", "Say what a deploy of what runs elsewhere would change"
      define_method(:kamal_op_promotion, KamalOpPromote.instance_method(:kamal_op_promotion))
    end
    t.disable
  end
}.enable
