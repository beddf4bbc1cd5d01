# Adds a command to Kamal that writes, as one line of JSON, whether the running
# containers have of the configuration's secrets what Kamal would give them now. It
# compares digests, salted anew each time and computed where the containers run: no
# value is written, here or there. Kamal is not loaded yet when this is: its command
# is added at the end of its class' body.
require "json"
require "digest"
require "securerandom"
require "shellwords"

module KamalOpRunning
  # What a container's environment has, in hex, name first: the system's shell can
  # read that, whatever is in a value.
  FORMAT = '{{.Name}} {{.Created}}{{println}}{{range .Config.Env}}{{printf "%x" .}}{{println}}{{end}}'

  ID = /\A[0-9a-f]{12,64}\z/

  Want = Struct.new(:variable, :secret, :line, :escaped)

  class << self
    # Every place where a container should have secrets: the host, the role or the
    # accessory, how the container is found, what it is wanted to have.
    def asks
      asks = KAMAL.app_hosts.flat_map do |host|
        KAMAL.roles_on(host).map do |role|
          { host: host.to_s, role: role.name.to_s, prefix: role.container_prefix, env: role.env(host), id: KAMAL.app(role: role, host: host).current_running_container_id }
        end
      end
      KAMAL.config.accessories.each do |accessory|
        id = [ :docker, :container, :ls, "--filter", "'name=^#{accessory.service_name}$'", "--quiet" ]
        (accessory.hosts.map(&:to_s) & KAMAL.accessory_hosts.map(&:to_s)).each do |host|
          asks << { host: host, accessory: accessory.name.to_s, env: accessory.env, id: id }
        end
      end
      asks.each { |ask| ask[:wants] = wanted(ask.delete(:env)) }
      asks.reject { |ask| ask[:wants].empty? }
    end

    # What is told of a place before its host has answered: nothing runs there.
    def nothing(ask) = ask.slice(:host, :role, :accessory).merge(container: "", created: "", secrets: [])

    # What a host answers, over Kamal's connection; nil where nothing runs.
    def answer(backend, ask, salt)
      id = backend.capture(*ask[:id], verbosity: Logger::DEBUG, raise_on_non_zero_exit: false).strip
      return unless id.match?(ID)

      output = backend.capture(command(id, ask[:wants].map(&:variable), salt), verbosity: Logger::DEBUG, raise_on_non_zero_exit: false)
      compare(output, ask[:wants], salt).merge(id: id, **version(output, ask)) unless output.strip.empty?
    end

    def tell(found)
      $stdout.puts "@kamal-op-running #{JSON.generate(found)}"
      $stdout.flush
    end

    # What docker is given of an environment's secrets: the lines of the env file, and
    # what is handed over as it is.
    def wanted(env)
      exact = defined?(::KamalOp::ExactValues) ? ::KamalOp::ExactValues.of(env) : {}
      env.secret_keys.map do |key|
        variable, secret = key.split(":", 2)
        value = env.secrets[secret || variable]
        line = exact[variable] == value ? "#{variable}=#{value}" : ::Kamal::EnvFile.new(variable => value).to_s.delete_suffix("\n")
        Want.new(variable, secret || variable, line, line.b != "#{variable}=#{value}".b)
      end
    end

    # One line for the host's shell: a digest for each name that is wanted.
    def command(id, names, salt)
      cases = names.map { |name| "#{hex("#{name}=")}*) n=#{name.shellescape};;" }.join(" ")
      %~docker inspect --format '#{FORMAT}' #{id} | { read -r l && echo "$l"; while read -r l; do case "$l" in #{cases} *) continue;; esac; printf '%s ' "$n"; printf %s "#{salt}$l" | sha256sum; done; }~
    end

    def compare(output, wants, salt)
      first, *lines = output.lines.map(&:chomp)
      name, created = first.to_s.split(" ", 2)
      digests = lines.to_h { |line| line.split(" ")[0, 2] }
      secrets = wants.map do |want|
        state = case digests[want.variable]
        when nil then "missing"
        when Digest::SHA256.hexdigest("#{salt}#{hex(want.line)}") then want.escaped ? "escaped" : "equal"
        else "stale"
        end
        { variable: want.variable, secret: want.secret, state: state }
      end
      { container: name.to_s.delete_prefix("/"), created: created.to_s, secrets: secrets }
    end

    # The version of the app, which the container's name ends in. One whose successor
    # of the same version did not come up has a mark of Kamal's behind it.
    def version(output, ask)
      name = output.lines.first.to_s.split(" ", 2).first.to_s.delete_prefix("/")
      return {} unless ask[:prefix] && name.start_with?("#{ask[:prefix]}-")

      { version: name.delete_prefix("#{ask[:prefix]}-").sub(/_replaced_\h+\z/, "") }
    end

    def hex(text) = text.unpack1("H*")
  end

  def kamal_op_running
    KAMAL.config.secrets.to_h # all that is wrong with them is told before a host is asked
    salt = SecureRandom.hex(32)
    asks = KamalOpRunning.asks
    found = asks.map { |ask| KamalOpRunning.nothing(ask) }
    on(asks.map { |ask| ask[:host] }.uniq) do |host|
      asks.each_with_index do |ask, n|
        found[n].merge!(KamalOpRunning.answer(self, ask, salt).to_h) if ask[:host] == host.to_s
      end
    end
    KamalOpRunning.tell(found)
  end
end

TracePoint.new(:end) { |t|
  if t.self.class == Class && t.self.name == "Kamal::Cli::Main"
    t.self.class_eval do
      desc "kamal_op_running", "Hold what the running containers have against the secrets"
      define_method(:kamal_op_running, KamalOpRunning.instance_method(:kamal_op_running))
    end
    t.disable
  end
}.enable
