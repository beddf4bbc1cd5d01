# Asks the hosts for the commands of ours that tell what is there.
module KamalOpHosts
  class << self
    # What the block gives of each host, over Kamal's connection to it, and why some could
    # not be asked: one that is down keeps no other from it. The end of the run is none of
    # a host's, nor is a configuration that is wrong.
    def ask(cli, hosts)
      found, why = {}, {}
      ::SSHKit::Backend::Netssh.configure { |ssh| ssh.ssh_options = ssh.ssh_options.merge(timeout: 20) }
      cli.send(:on, hosts) do |host|
        found[host.to_s] = yield(self, host.to_s)
      rescue StandardError => e
        raise if e.class.name == "KamalOp::Cancelled" || e.is_a?(::Kamal::ConfigurationError)
        why[host.to_s] = KamalOpHosts.message(e)
      end
      [ found.slice(*hosts), why.slice(*hosts) ]
    end

    # The first line of an error, or of what a program says of one.
    def message(error)
      (error.is_a?(String) ? error.strip : "#{error.class}: #{error.message}").scrub.lines.first.to_s.strip
    end

    # The version of the project's files, as Kamal would deploy them, or what is said where
    # they have none: what is checked out is no commit, or git is not here.
    def version(otherwise)
      KAMAL.config.version.to_s
    rescue StandardError
      otherwise # nothing is deployed from it
    end
  end
end
