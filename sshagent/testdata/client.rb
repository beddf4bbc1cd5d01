# Logs in once, as Kamal's libraries do, and says how it went. For tests:
#
#   ruby client.rb netssh|sshkit HOST PORT USER KNOWN_HOSTS|- COMMAND
#
# KNOWN_HOSTS is a file that host keys are checked against, strictly; with - any
# host key will do. The agent is that of SSH_AUTH_SOCK. The output ends with one
# line: "ok: OUTPUT", or "CLASS: MESSAGE" of what was raised.
require "timeout"

library, host, port, user, known_hosts, command = ARGV
options = { port: port.to_i, config: false, non_interactive: true, timeout: 15 }
if known_hosts == "-"
  options[:verify_host_key] = :never
else
  options[:verify_host_key] = :always
  options[:user_known_hosts_file] = [known_hosts]
  options[:global_known_hosts_file] = ["/dev/null"]
end

begin
  output = Timeout.timeout(30) do
    case library
    when "netssh"
      require "net/ssh"
      Net::SSH.start(host, user, **options) { |ssh| ssh.exec!(command) }
    when "sshkit"
      require "sshkit"
      require "sshkit/dsl"
      include SSHKit::DSL
      SSHKit.config.output = SSHKit::Formatter::BlackHole.new($stdout)
      server = SSHKit::Host.new("#{user}@#{host}:#{port}")
      server.ssh_options = options.slice(:config, :verify_host_key, :user_known_hosts_file, :global_known_hosts_file, :non_interactive)
      result = nil
      on([server]) { result = capture(command) }
      result
    end
  end
  puts "ok: #{output.to_s.strip.gsub(/\s*\n/, " | ")}"
rescue Exception => e
  e = e.cause if e.class.name == "SSHKit::Runner::ExecuteError" && e.cause
  puts "#{e.class}: #{e.message.lines.first&.strip}"
end
