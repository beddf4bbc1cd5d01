# frozen_string_literal: true

module KamalOp
  # An image that is in the registry already, and has a label of ours that says that it
  # was built of the same, is not built again. The label is a digest of all that a build
  # takes in; without it, or where something is in no commit, Kamal builds.
  module Reuse
    LABEL = "kamal-op.build"

    class << self
      # The key is kamal-op's: with secrets in it, a digest that everybody can read must
      # not let a short one be found by trying.
      attr_accessor :on, :key

      def install
        build, base = ::Kamal::Cli::Build, ::Kamal::Commands::Builder::Base
        KamalOp.known KamalOp.instance_method?(build, :push, 0) && KamalOp.instance_method?(build, :login_to_registry_locally, 0) &&
          KamalOp.instance_method?(base, :build_labels, 0) && base.method_defined?(:argumentize) && ::Kamal::Git.respond_to?(:uncommitted_changes), "it builds otherwise"
        build.prepend(Push)
        base.prepend(Labelled)
      end

      # The digest of what a build here and now takes in, or nil and why there is none.
      def inputs
        @inputs ||= (why = obstacle) ? [ nil, why ] : [ digest, nil ]
      end

      # Why the image that the registry has is not to be had in place of a build.
      def why
        digest, why = inputs
        return why if why

        found, why = labelled
        return why if why
        return "the image in the registry does not say what it was built of" unless found

        "the image in the registry was built of something else" unless found == digest
      end

      # The label of the image in the registry, or nil and why it is not known.
      def labelled
        require "open3"
        out, error, status = Open3.capture3("docker", "buildx", "imagetools", "inspect", "--format", "{{json .Image}}", ::KAMAL.config.absolute_image)
        unless status.success?
          return [ nil, "the registry has no #{::KAMAL.config.absolute_image}" ] if error.match?(/not found|manifest unknown/i)

          return [ nil, "the registry does not tell: #{error.scrub.lines.map(&:strip).reject(&:empty?).last}" ]
        end
        told = JSON.parse(out)
        images = told.key?("config") ? [ told ] : told.values # by platform, where there are several
        labels = images.map { |image| image.dig("config", "Labels").to_h[LABEL] }.uniq
        [ (labels.first if labels.one?), nil ]
      rescue SystemCallError, JSON::ParserError, TypeError => e
        [ nil, "the registry does not tell (#{e.class})" ]
      end

      private
        def obstacle
          config = ::KAMAL.config
          return "it is built with buildpacks" if config.builder.pack?
          return "the registry is on this machine" if config.registry.local?
          return "the project is in no git repository" unless ::Kamal::Git.used?
          return "there are uncommitted changes" if ::Kamal::Git.uncommitted_changes.present?

          return "there is no #{config.builder.dockerfile}" unless File.file?(config.builder.dockerfile)

          context(config.builder) || ("its secrets can be compared with the run's SSH key alone, and there is none" if config.builder.secrets.any? && key.to_s.empty?)
        end

        # A context of its own is a folder as it lies there, and not a clone of the commit.
        def context(builder)
          return if builder.git_clone?

          root = File.realpath(::Kamal::Git.root)
          folder = File.realpath(builder.context)
          return "builder.context is not in the repository" unless folder == root || folder.start_with?("#{root}/")
          "builder.context has files that are in no commit" unless `git status --porcelain --ignored -- #{folder.shellescape}`.strip.empty?
        rescue SystemCallError
          "builder.context is no folder here"
        end

        def digest
          builder = ::KAMAL.config.builder
          arches = builder.arches.empty? ? [ ::Kamal::Utils.docker_arch ] : builder.arches
          text = JSON.generate({
            commit: ::Kamal::Git.revision, folder: Dir.pwd.delete_prefix(::Kamal::Git.root), service: ::KAMAL.config.service,
            dockerfile: [ builder.dockerfile, [ File.binread(builder.dockerfile) ].pack("m0") ], context: builder.context, target: builder.target.to_s,
            platforms: arches.map(&:to_s).sort, options: builder.to_h.slice("ssh", "provenance", "sbom").to_a.sort,
            args: values(builder.args), secrets: values(builder.secrets)
          })
          require "openssl"
          OpenSSL::HMAC.hexdigest("SHA256", builder.secrets.any? ? key : LABEL, text)
        end

        def values(values) = values.map { |name, value| [ name.to_s, (KamalOp.encode(value) unless value.nil?) ] }.sort_by(&:first)
    end

    module Push
      def push
        return super if !Reuse.on || options[:no_cache] || ![ nil, "registry" ].include?(options[:output])

        pre_connect_if_required
        ensure_docker_installed
        login_to_registry_locally unless ::KAMAL.registry.local?
        if (why = Reuse.why)
          say "Building: #{why}", :magenta
          return super
        end
        say "#{::KAMAL.config.absolute_image} is in the registry, built of the same: it is not built again", :magenta
      end
    end

    module Labelled
      private
        def build_labels
          digest, = Reuse.on ? Reuse.inputs : nil
          digest ? super + argumentize("--label", { LABEL => digest }) : super
        end
    end
  end
end
