# Adds a command to Kamal that writes, as one line of JSON, what the hosts run and
# what a deploy would have them run. It changes nothing and takes no lock. Required
# after the Ruby that holds running containers against the secrets: digests of
# secrets are made and compared by that. Values travel of clear variables alone, of
# none that the container's own env file names as a secret, and of no container whose
# env file is not there any more.
require "ipaddr"
require "open3"
require "socket"
require "time"
require "tmpdir"

module KamalOpPlan
  # Each variable of a container: its name and all of it, in hex.
  VARIABLES = '{{range .Config.Env}}{{printf "%x" (index (split . "=") 0)}} {{printf "%x" .}}{{println}}{{end}}'

  # What there is of a container, and of an image, that a deploy decides. No values of
  # variables.
  CONTAINER = '{"name":{{json .Name}},"created":{{json .Created}},"image":{{json .Config.Image}},"labels":{{json .Config.Labels}},' \
    '"cmd":{{json .Config.Cmd}},"entrypoint":{{json .Config.Entrypoint}},"user":{{json .Config.User}},"workdir":{{json .Config.WorkingDir}},' \
    '"volumes":{{json .Config.Volumes}},"host":{{json .HostConfig}}}'
  IMAGE = '{"labels":{{json .Config.Labels}},"cmd":{{json .Config.Cmd}},"entrypoint":{{json .Config.Entrypoint}},"user":{{json .Config.User}},' \
    '"workdir":{{json .Config.WorkingDir}},"volumes":{{json .Config.Volumes}},' \
    '"variables":[{{range .Config.Env}}{{json (index (split . "=") 0)}},{{end}}""]}'

  STATE = "/home/kamal-proxy/.config/kamal-proxy/kamal-proxy.state"
  ID = /\A[0-9a-f]{12,64}\z/
  VERSION = /\A[0-9a-f]{7,40}(?=\z|_)/

  class << self
    # The words of `docker run` as Kamal writes them, as pairs of an option and its
    # value, the image and the command. Before them stands the shell that reads values
    # which are handed over as they are.
    def run_options(words, cmd)
      words = words.drop(words.index(:docker)).map(&:to_s)
      command = cmd ? words.pop.shellsplit : []
      image = words.pop
      options = []
      words.drop(2).each do |word|
        if word.start_with?("--")
          options << [ word.delete_prefix("--"), nil ]
        else
          options.last[1] = word.shellsplit.join(" ")
        end
      end
      { options: options, image: image, cmd: command }
    end

    # One line for the host's shell: names, digests of secrets, clear values.
    def variables(id, secrets, clear, salt)
      cases = secrets.map { |name| "#{hex(name)}) printf 's %s ' \"$n\"; printf %s \"#{salt}$l\" | sha256sum;;" }
      cases += clear.map { |name| "#{hex(name)}) echo \"c $l\";;" }
      %~docker inspect --format '#{VARIABLES}' #{id} | while read -r n l; do case "$n" in "") continue;; #{cases.join(" ")} *) echo "o $n";; esac; done~
    end

    # What the lines of that say.
    def read_variables(output, wants, salt)
      wanted = wants.to_h { |want| [ want.variable, want ] }
      found = { clear: {}, secrets: {}, others: [] }
      output.each_line(chomp: true) do |line|
        kind, first, digest = line.split(" ")
        case kind
        when "c" then found[:clear].store(*text(first).split("=", 2).then { |name, _| [ name, [ text(first).split("=", 2)[1].to_s.b ].pack("m0") ] })
        when "o" then found[:others] << text(first)
        when "s"
          want = wanted[text(first)]
          same = digest == Digest::SHA256.hexdigest("#{salt}#{hex(want.line)}") if want
          found[want ? :secrets : :others].then { |to| want ? to[want.variable] = (same ? "equal" : "stale") : to << text(first) }
        end
      end
      found
    end

    # Of a service, what the proxy's state has: hosts, paths and timeouts.
    def proxied(state, service)
      Array(JSON.parse(state)).find { |entry| entry["name"] == service }&.slice("options", "target_options", "active_targets")
    rescue JSON::ParserError
      nil # a proxy that does not tell its state is one whose state is not known
    end

    # The commits between two versions, or why they are not known.
    def commits(from, to)
      return [ nil, "no commit" ] unless [ from, to ].all? { |version| version.match?(VERSION) }

      out, error = git("log", "--no-show-signature", "--max-count=200", "--format=%H%x09%s", "#{from[VERSION]}..#{to[VERSION]}")
      error ? [ nil, error ] : [ out.lines(chomp: true), nil ]
    end

    # The hosts that deploy.yml named in the commit that runs, or why they are not known.
    # Its ERB is Ruby that runs here: that of a commit which what is checked out came
    # from has run here before, and any other is left alone.
    def former_hosts(version, config_file, destination)
      return [ nil, "the version that runs is no commit" ] unless version.match?(VERSION)

      commit, error = git("rev-parse", "--verify", "#{version[VERSION]}^{commit}")
      return [ nil, error ] if error
      commit = commit.strip
      # A branch or a tag can have a name like a commit's.
      return [ nil, "the version that runs is no commit" ] unless commit.start_with?(version[VERSION])
      _, error = git("merge-base", "--is-ancestor", commit, "HEAD")
      return [ nil, error.empty? ? "what runs is of another branch, whose deploy.yml is not run here" : error ] if error

      # Beside this file, where no other user can put another deploy.yml in its place.
      Dir.mktmpdir("deploy-yml-", __dir__) do |dir|
        base = Pathname.new(dir).join("deploy.yml")
        { base => config_file, (base.sub_ext(".#{destination}.yml") if destination) => config_file.sub(/(\.ya?ml)?\z/, ".#{destination}.yml") }.each do |path, name|
          next unless path

          out, error = git("show", "#{commit}:./#{name}")
          return [ nil, error ] if error
          path.write(out)
        end
        servers = ::Kamal::Configuration.load_raw_config(config_file: base, destination: destination)[:servers]
        roles = servers.is_a?(Hash) ? servers.values : [ servers ]
        [ roles.flat_map { |role| Array(role.is_a?(Hash) ? role["hosts"] : role) }.map { |host| host.is_a?(Hash) ? host.keys.first : host }.map(&:to_s), nil ]
      end
    rescue StandardError, SyntaxError => e
      [ nil, "its deploy.yml cannot be read: #{KamalOpHosts.message(e)}" ]
    end

    # What git says, and what it says is wrong: "" where it has failed in silence.
    def git(*words)
      program = program("git") or return [ nil, "no git" ]
      out, error, status = Open3.capture3({ "LC_ALL" => "C", "GIT_NO_LAZY_FETCH" => "1", "GIT_TERMINAL_PROMPT" => "0" }, program, *words)
      return [ out.scrub, nil ] if status.success?

      return [ nil, "not in this clone" ] if error.match?(/bad revision|unknown revision|revision range|bad object|needed a single revision/i)
      [ nil, error.strip.empty? ? "" : "git says #{KamalOpHosts.message(error)}" ]
    rescue SystemCallError => e
      [ nil, "git cannot be run: #{KamalOpHosts.message(e)}" ]
    end

    # Whether the registry has the image, or why that is not known. As Docker does when
    # it pushes, a registry is trusted without TLS, or with a certificate of anybody's,
    # only where Docker's engine is told to.
    def image(config)
      return [ nil, "the registry is on this machine" ] if config.registry.local?
      docker = program("docker") or return [ nil, "docker is not here to ask the registry" ]

      insecure = insecure?(docker, config.registry.server.to_s)
      out, status = Open3.capture2e(docker, "manifest", "inspect", *("--insecure" if insecure), config.absolute_image)
      return [ true, nil ] if status.success?
      # What answers without TLS has no such manifest either, for who asks with TLS.
      return [ nil, "docker's engine does not say whether it trusts the registry without TLS" ] if insecure.nil?
      return [ false, nil ] if out.match?(/no such manifest|manifest unknown|not found/i)

      [ nil, "the registry does not say" ]
    rescue SystemCallError
      [ nil, "docker is not here to ask the registry" ]
    end

    # Whether Docker's engine is told to trust a registry so (its insecure-registries),
    # nil where it does not answer.
    def insecure?(docker, server)
      out, _, status = Open3.capture3(docker, "info", "--format", "{{json .RegistryConfig}}")
      registries = JSON.parse(out) if status.success?
      return unless registries.is_a?(Hash)

      address = server.sub(%r{\A[a-z]+://}, "").split("/").first.to_s
      index = registries["IndexConfigs"].to_h[address.empty? ? "docker.io" : address]
      return index["Secure"] == false if index

      host = address.sub(/:\d+\z/, "").delete("[]")
      ranges = Array(registries["InsecureRegistryCIDRs"]).map { |range| IPAddr.new(range) }
      addresses(host).any? { |ip| ranges.any? { |range| range.family == ip.family && range.include?(ip) } }
    rescue JSON::ParserError, IPAddr::Error
      nil # what docker says is not understood: whether it trusts the registry is not known
    end

    # The addresses of a host, as docker looks for them.
    def addresses(host)
      [ IPAddr.new(host) ]
    rescue IPAddr::Error
      begin
        Addrinfo.getaddrinfo(host, nil, nil, :STREAM).map { |found| IPAddr.new(found.ip_address.split("%").first) }
      rescue SocketError
        [] # a name that nobody knows has no address, and lies in no range
      end
    end

    # A program on the PATH, less what PATH leads to from where we are: a file of the
    # project's that bears the name of git or docker is neither.
    def program(name)
      ENV["PATH"].to_s.split(File::PATH_SEPARATOR).filter_map { |dir| File.join(dir, name) if dir.start_with?("/") }
        .find { |path| File.file?(path) && File.executable?(path) }
    end

    # Whether an env file is the one that a container was started with: Kamal writes it
    # right before. Both times are the host's.
    def of_container?(written, created)
      return false unless written.match?(/\A\d+\z/)

      (0..600).cover?(Time.parse(created).to_i - written.to_i)
    rescue ArgumentError, TypeError
      false # a time that is none: whose file it is is not known
    end

    def hex(text) = text.unpack1("H*")

    def text(hex) = [ hex.to_s ].pack("H*").force_encoding(Encoding::UTF_8).scrub
  end

  # One host, over Kamal's connection to it.
  class Host
    def initialize(backend, host, salt)
      @backend, @host, @salt = backend, host.to_s, salt
    end

    def observe(named:)
      found = { host: @host, named: named, home: ask("pwd").strip, containers: [], running: running }
      found[:image] = ask("docker", "image", "inspect", "--format", "'{{.Id}}'", KAMAL.config.absolute_image).strip.start_with?("sha256:")
      return found unless named

      KAMAL.roles_on(@host).each { |role| found[:containers] << role(role) }
      KAMAL.config.accessories.each do |accessory|
        found[:containers] << accessory(accessory) if accessory.hosts.map(&:to_s).include?(@host)
      end
      found
    end

    private
      def role(role)
        app = KAMAL.app(role: role, host: @host)
        container(app.current_running_container_id, role.env(@host), role.secrets_path).merge(
          role: role.name.to_s, prefix: role.container_prefix, want: want(app.run, role.cmd, role.env(@host)),
          proxy: (proxy(role.container_prefix, role.proxy) if role.running_proxy?))
      end

      def accessory(accessory)
        id = [ :docker, :container, :ls, "--all", "--filter", "'name=^#{accessory.service_name}$'", "--quiet" ]
        command = KAMAL.accessory(accessory.name)
        words = command.method(:run).arity.zero? ? command.run : command.run(host: @host)
        container(id, accessory.env, accessory.secrets_path).merge(
          accessory: accessory.name.to_s, prefix: accessory.service_name, want: want(words, accessory.cmd, accessory.env),
          proxy: (proxy(accessory.service_name, accessory.proxy) if accessory.running_proxy?))
      end

      def want(words, cmd, env)
        KamalOpPlan.run_options(words, cmd).merge(secrets: env.secret_keys.map { |key| key.split(":", 2).first })
      end

      def container(id, env, env_file)
        id = ask(*id).strip
        return { has: nil } unless id.match?(ID)

        wants = KamalOpRunning.wanted(env)
        has = JSON.parse(ask("docker", "inspect", "--format", "'#{CONTAINER}'", id))
        # What was a secret when the container was started, the env file of then says.
        has["env_file"] = KamalOpPlan.of_container?(ask("stat", "-c", "%Y", env_file, "2>/dev/null").strip, has["created"])
        once = has["env_file"] ? ask("cut", "-d=", "-f1", env_file, "2>/dev/null", ";", "head", "-n", "1", "#{env_file}.exact", "2>/dev/null").split : []
        secrets = wants.map(&:variable) | once
        clear = has["env_file"] ? env.clear.keys.map(&:to_s) - secrets : []
        has["of_image"] = JSON.parse(ask("docker", "image", "inspect", "--format", "'#{IMAGE}'", "$(docker inspect --format '{{.Image}}' #{id})").strip.then { |text| text.empty? ? "{}" : text })
        { has: has.merge(KamalOpPlan.read_variables(ask(KamalOpPlan.variables(id, secrets, clear, @salt)), wants, @salt)) }
      end

      def proxy(service, proxy)
        @state ||= ask("docker", "cp", "#{::Kamal::Configuration::Proxy::CONTAINER_NAME}:#{STATE}", "-", "2>/dev/null", "|", "tar", "-xO", "2>/dev/null")
        { want: proxy.deploy_options.transform_keys(&:to_s), has: KamalOpPlan.proxied(@state, service) }
      end

      def running
        filters = [ "label=service=#{KAMAL.config.service}", "label=destination=#{KAMAL.config.destination}", "status=running", "status=restarting" ]
        words = filters.flat_map { |filter| [ "--filter", filter ] }
        ask("docker", "ps", *words, "--format", "'{{.Names}} {{.Label \"role\"}}'").lines.map { |line| line.split(" ", 2).map(&:strip) }
          .map { |name, role| { name: name, role: role.to_s } }
      end

      def ask(*words) = @backend.capture(*words, verbosity: Logger::DEBUG, raise_on_non_zero_exit: false).scrub
  end

  def kamal_op_plan
    KAMAL.config.secrets.to_h # all that is wrong with them is told before a host is asked
    salt = SecureRandom.hex(32)
    config = KAMAL.config
    hosts = kamal_op_observe(KAMAL.hosts.map(&:to_s).uniq, salt, named: true)
    versions = hosts.flat_map { |host| host[:containers].to_a }.filter_map do |container|
      container[:has]["name"].delete_prefix("/#{container[:prefix]}-") if container[:role] && container[:has]
    end.uniq
    former, unknown = versions.map { |version| KamalOpPlan.former_hosts(version, options[:config_file], config.destination) }.transpose
    # With --hosts or --roles nothing is looked for elsewhere.
    gone = KAMAL.specific_hosts || KAMAL.specific_roles ? [] : former.to_a.compact.flatten.uniq - config.all_hosts.map(&:to_s)
    hosts += kamal_op_observe(gone, salt, named: false)

    begin
      run_locally { execute(*KAMAL.registry.login, verbosity: Logger::DEBUG) } unless config.registry.local?
      image, why = KamalOpPlan.image(config)
    rescue ::SSHKit::Command::Failed
      image, why = nil, "the registry does not let this run log in"
    end
    commits = versions.to_h do |version|
      list, reason = KamalOpPlan.commits(version, config.version)
      [ version, { list: list, why: reason.to_s } ]
    end
    report = {
      service: config.service, version: config.version, repository: config.repository, image: image, image_unknown: why.to_s, versions: versions,
      commits: commits, former: former.to_a.none?(&:nil?), former_unknown: unknown.to_a.compact.first.to_s, hosts: hosts
    }
    $stdout.puts "@kamal-op-plan #{JSON.generate(report)}"
    $stdout.flush
  end

  def kamal_op_observe(names, salt, named:)
    return [] if names.empty?

    found, why = KamalOpHosts.ask(self, names) { |backend, host| Host.new(backend, host, salt).observe(named: named) }
    names.map { |name| found[name] || { host: name, named: named, error: why[name] } }
  end
end

TracePoint.new(:end) { |t|
  if t.self.class == Class && t.self.name == "Kamal::Cli::Main"
    t.self.class_eval do
      desc "kamal_op_plan", "Say what a deploy would change"
      define_method(:kamal_op_plan, KamalOpPlan.instance_method(:kamal_op_plan))
      no_commands { define_method(:kamal_op_observe, KamalOpPlan.instance_method(:kamal_op_observe)) }
    end
    t.disable
  end
}.enable
