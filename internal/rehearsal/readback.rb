# Loaded into Kamal through RUBYOPT, for `kamal version`: when that is done, the
# configuration as Kamal itself loads or resolves it goes to standard output as
# one line of JSON behind a marker. Nothing is parsed twice, and ERB, anchors and
# the merge of a destination are Kamal's own.
#
# No secret is looked up: only their names are told.
at_exit do
  marker = ENV["KAMAL_OP_READBACK"]
  if marker && defined?(Kamal::Configuration)
    answer =
      begin
        require "json"
        file = Pathname.new(File.expand_path(ENV.fetch("KAMAL_OP_READBACK_CONFIG")))
        destination = ENV["KAMAL_OP_READBACK_DESTINATION"]
        destination = nil if destination.to_s.empty?

        if ENV["KAMAL_OP_READBACK_RAW"]
          ENV["KAMAL_DESTINATION"] = destination
          { raw: Kamal::Configuration.load_raw_config(config_file: file, destination: destination) }
        else
          config = Kamal::Configuration.create_from(config_file: file, destination: destination, version: "rehearsal")
          text = ->(list) { Array(list).map(&:to_s) }
          names = ->(env) { env.secret_keys.to_h { |key| a, b = key.split(":", 2); [ a, b || a ] } }
          proxy = ->(proxy) do
            proxy && {
              hosts: text.(proxy.hosts), paths: text.(proxy.path_prefixes), ssl: proxy.ssl? ? true : false,
              run: proxy.run && { args: text.(proxy.run.docker_options_args), registry: proxy.run.registry.to_s }
            }
          end
          {
            resolved: {
              service: config.service,
              repository: config.repository,
              hosts: text.(config.all_hosts),
              ssh: {
                user: config.ssh.user.to_s, port: config.ssh.port.to_s, proxy: !!config.ssh.proxy,
                keys: !!(config.ssh.keys || config.ssh.ssh_config["key_data"])
              },
              registry: config.registry.server.to_s,
              builder: { driver: config.builder.driver, remote: config.builder.remote.to_s, cached: config.builder.cached? },
              hooks_path: config.hooks_path,
              output: config.respond_to?(:output) && config.output.enabled?,
              roles: config.roles.map { |role|
                {
                  name: role.name, hosts: text.(role.hosts),
                  args: text.([ *config.volume_args, *role.logging_args, *role.option_args ]),
                  secrets: role.hosts.any? ? names.(role.env(role.hosts.first)) : {},
                  proxy: proxy.(role.running_proxy? ? role.proxy : nil)
                }
              },
              accessories: config.accessories.map { |accessory|
                {
                  name: accessory.name, service: accessory.service_name, hosts: text.(accessory.hosts),
                  registry: accessory.registry&.server.to_s,
                  args: text.([
                    *accessory.network_args, *config.logging_args, *accessory.publish_args,
                    *accessory.volume_args, *accessory.option_args
                  ]),
                  secrets: names.(accessory.env),
                  proxy: proxy.(accessory.running_proxy? ? accessory.proxy : nil)
                }
              }
            }
          }
        end
      rescue Exception => e # rubocop:disable Lint/RescueException: whatever it is, it is told
        { error: e.message, class: e.class.name }
      end
    $stdout.puts
    $stdout.puts "#{marker}#{JSON.generate(answer)}"
    $stdout.flush
  end
end
