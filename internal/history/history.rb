# Adds a command to Kamal that writes, as one line of JSON, what its audit logs have of
# deploys, and which versions of the app the hosts have containers of.
require "json"

module KamalOpHistory
  class << self
    # The lines of the log that tell of deploys: ours, and Kamal's own. Anybody may have
    # written some that are long: none is to push out the others, and a host has its part
    # of what all may say.
    def lines(backend, most)
      file = KAMAL.auditor.send(:audit_log_file)
      backend.capture("grep -aE ' kamal-op: [{]|Booted app version ' #{file} 2>/dev/null | cut -b 1-131073 | tail -n 1000 | tail -c #{most}; true", verbosity: Logger::DEBUG, strip: false, raise_on_non_zero_exit: false).to_s
    end

    # What runs of a role, and what was there before it and is there still.
    def role(backend, role)
      config = KAMAL.config
      filters = [ "label=service=#{config.service}", "label=destination=#{config.destination}", "label=role=#{role.name}" ].flat_map { |filter| [ "--filter", filter ] }
      output = backend.capture(:docker, :ps, "--all", *filters, "--format", "'{{.State}} {{.Names}}'", verbosity: Logger::DEBUG, raise_on_non_zero_exit: false).to_s
      found = output.lines.map { |line| line.strip.split(" ", 2) }.select { |_, name| name.to_s.start_with?("#{role.container_prefix}-") }
        .map { |state, name| [ state, name.delete_prefix("#{role.container_prefix}-") ] }
      runs, rest = found.partition { |state, _| %w[ running restarting ].include?(state) }
      { role: role.name.to_s, runs: runs.map(&:last), others: rest.map(&:last) }
    end
  end

  def kamal_op_history
    hosts = KAMAL.app_hosts.map(&:to_s)
    most = (8 << 20) / hosts.size.clamp(1..)
    found, why = KamalOpHosts.ask(self, hosts) do |backend, host|
      { host: host, log: [ KamalOpHistory.lines(backend, most) ].pack("m0"), roles: KAMAL.roles_on(host).map { |role| KamalOpHistory.role(backend, role) } }
    end
    $stdout.puts "@kamal-op-history #{JSON.generate({ service: KAMAL.config.service, destination: KAMAL.config.destination.to_s, hosts: hosts.map { |host| found[host] || { host: host, why: why[host] } } })}"
    $stdout.flush
  end
end

TracePoint.new(:end) { |t|
  if t.self.class == Class && t.self.name == "Kamal::Cli::Main"
    t.self.class_eval do
      desc "kamal_op_history", "Say what was deployed"
      define_method(:kamal_op_history, KamalOpHistory.instance_method(:kamal_op_history))
    end
    t.disable
  end
}.enable
