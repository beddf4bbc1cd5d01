# Writes what Kamal makes of deploy.yml as one line of JSON, in place of what
# `kamal config` shows, which has the SSH key's text in it. Only names, addresses
# and paths; no secret is read. Kamal is not loaded yet when this is: it is changed
# at the end of its class' body.
require "json"

module KamalOpResolved
  def to_h
    proxy = lambda do |p|
      next nil unless p
      c = p.proxy_config
      health = c["healthcheck"]
      { hosts: Array(p.hosts), tls: !!p.ssl?, path_prefixes: (p.respond_to?(:path_prefixes) ? Array(p.path_prefixes) : []),
        health: (health["path"] if health.is_a?(Hash)), port: kamal_op_port(c, p.ssl?) }
    end
    strings = ->(list) { Array(list).map(&:to_s) }
    volumes = ->(args) { args.map(&:to_s).reject { |a| a == "--volume" }.map { |v| kamal_op_bare(v) } }
    $stdout.puts "@kamal-op-resolved " + JSON.generate(
      service: service, destination: destination.to_s, image: repository, version: version.to_s, hosts: strings.(all_hosts),
      roles: roles.to_h { |r|
        [ r.name.to_s, { hosts: strings.(r.hosts), labels: r.labels.to_h { |k, v| [ k.to_s, v.to_s ] }, proxy: (proxy.(r.proxy) if r.running_proxy?) } ]
      },
      accessories: accessories.to_h { |a|
        [ a.name.to_s, { service: a.service_name, image: a.image, hosts: strings.(a.hosts), labels: a.labels.to_h { |k, v| [ k.to_s, v.to_s ] },
                         volumes: volumes.(a.volume_args), port: a.port.to_s, proxy: (proxy.(a.proxy) if a.running_proxy?) } ]
      },
      volumes: volumes.(volume_args))
    $stdout.flush
    {}
  end

  private
    # kamal-proxy's own port, where the project moves it.
    def kamal_op_port(c, tls)
      run = c["run"]
      run = raw_config.proxy["run"] if !run && raw_config.proxy.is_a?(Hash)
      port = run[tls ? "https_port" : "http_port"] if run.is_a?(Hash)
      port.to_i if port
    end

    # Kamal quotes arguments for the shell: --volume "$PWD/x:/y".
    def kamal_op_bare(v)
      v.delete_prefix('"').delete_suffix('"').gsub(/\\(.)/, '\1')
    end
end

TracePoint.new(:end) { |t|
  if t.self.class == Class && t.self.name == "Kamal::Configuration"
    t.self.prepend(KamalOpResolved)
    t.disable
  end
}.enable
