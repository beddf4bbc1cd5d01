# Writes what Kamal makes of deploy.yml as one line of JSON, in place of what
# `kamal config` shows, which has the SSH key's text in it. The `docker run` lines
# are those of Kamal's own commands, as they go to a host's shell: what stands in
# them is what Kamal logs at every deploy. No secret is read. Kamal is not loaded yet
# when this is: it is changed at the end of its class' body.
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
    line = ->(command) { command.flatten.compact.join(" ") } # as SSHKit joins it
    $stdout.puts "@kamal-op-resolved " + JSON.generate(
      service: service, destination: destination.to_s, image: repository, version: version.to_s, hosts: strings.(all_hosts),
      roles: roles.to_h { |r|
        [ r.name.to_s, { hosts: strings.(r.hosts), proxy: (proxy.(r.proxy) if r.running_proxy?),
                         run: r.hosts.map { |h| line.(Kamal::Commands::App.new(self, role: r, host: h).run) } } ]
      },
      accessories: accessories.to_h { |a|
        [ a.name.to_s, { service: a.service_name, image: a.image, hosts: strings.(a.hosts), proxy: (proxy.(a.proxy) if a.running_proxy?),
                         run: strings.(a.hosts).map { |h| line.(kamal_op_accessory_run(a.name, h)) } } ]
      },
      proxy_run: kamal_op_proxy_runs.map { |h| line.(Kamal::Commands::Proxy.new(self, host: h).run) }.uniq)
    $stdout.flush
    {}
  end

  private
    # Hosts on which kamal-proxy is run as this configuration says (since Kamal 2.8),
    # and not as the host remembers it.
    def kamal_op_proxy_runs
      respond_to?(:proxy_run) ? all_hosts.select { |h| proxy_run(h) } : []
    end

    # An older Kamal does not take the host.
    def kamal_op_accessory_run(name, host)
      accessory = Kamal::Commands::Accessory.new(self, name: name)
      accessory.method(:run).arity.zero? ? accessory.run : accessory.run(host: host)
    end

    # kamal-proxy's own port, where the project moves it.
    def kamal_op_port(c, tls)
      run = c["run"]
      run = raw_config.proxy["run"] if !run && raw_config.proxy.is_a?(Hash)
      port = run[tls ? "https_port" : "http_port"] if run.is_a?(Hash)
      port.to_i if port
    end
end

TracePoint.new(:end) { |t|
  if t.self.class == Class && t.self.name == "Kamal::Configuration"
    t.self.prepend(KamalOpResolved)
    t.disable
  end
}.enable
