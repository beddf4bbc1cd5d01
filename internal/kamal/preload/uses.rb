# frozen_string_literal: true

module KamalOp
  # Every place of deploy.yml that names a secret.
  module Uses
    NAME = /\A[\w.]+\z/

    class << self
      def of(raw_config)
        return [] unless raw_config

        root = raw_config.to_h.transform_keys(&:to_s)
        @found, @literals = [], []
        hash(hash(root["builder"])["args"]).each { |name, value| literal(name, "builder.args.#{name}", value) }
        env(root["env"], "env")
        hash(hash(root["env"])["tags"]).each { |tag, config| env(config, "env.tags.#{tag}") }
        registry(root["registry"], "registry")
        proxy(root["proxy"], "proxy")
        list(hash(root["builder"])["secrets"]).each { |name| use(name, "builder.secrets") }
        list(hash(root["ssh"])["key_data"]).each { |name| use(name, "ssh.key_data") }
        hash(root["servers"]).each do |role, config|
          env(hash(config)["env"], "servers.#{role}.env")
          proxy(hash(config)["proxy"], "servers.#{role}.proxy")
        end
        hash(root["accessories"]).each do |name, config|
          env(hash(config)["env"], "accessories.#{name}.env")
          registry(hash(config)["registry"], "accessories.#{name}.registry")
          proxy(hash(config)["proxy"], "accessories.#{name}.proxy")
        end
        @found
      end

      # Values of the configuration itself, where the last call of `of` has found
      # what may be a reference of 1Password's that nobody resolves.
      def literals = @literals || []

      private
        def env(config, key)
          list(hash(config)["secret"]).each do |name|
            as, secret = name.to_s.split(":", 2)
            use(secret || as, "#{key}.secret", as: as)
          end
          nested = %w[ clear secret tags ].any? { |name| hash(config).key?(name) }
          hash(nested ? config["clear"] : config).each { |name, value| literal(name, nested ? "#{key}.clear.#{name}" : "#{key}.#{name}", value) }
        end

        def registry(config, key)
          %w[ username password ].each do |part|
            use(list(hash(config)[part]).first, "#{key}.#{part}")
            literal(part, "#{key}.#{part}", hash(config)[part])
          end
        end

        def literal(name, key, value)
          @literals << { name: name.to_s, key: key, value: value } if value.is_a?(String) && value.include?("op://")
        end

        def proxy(config, key)
          ssl = hash(hash(config)["ssl"])
          %w[ certificate_pem private_key_pem ].each { |part| use(ssl[part], "#{key}.ssl.#{part}") }
        end

        def use(name, key, as: nil)
          @found << { name: name.to_s, key: key, as: as.to_s } if NAME.match?(name.to_s)
        end

        def hash(value) = value.is_a?(Hash) ? value : {}

        def list(value) = value.is_a?(Array) ? value : []
    end
  end
end
