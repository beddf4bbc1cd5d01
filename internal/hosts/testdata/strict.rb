# What Kamal's preload does with a run's host keys, by itself, for tests: every
# connection of Net::SSH takes the keys in KNOWN_HOSTS and no others.
require "net/ssh"

module StrictHostKeys
  def start(host, user = nil, options = {}, &block)
    strict = { user_known_hosts_file: [ENV.fetch("KNOWN_HOSTS")], global_known_hosts_file: ["/dev/null"], verify_host_key: :always }
    super(host, user, options.merge(strict), &block)
  end
end
Net::SSH.singleton_class.prepend(StrictHostKeys)
