# Loaded into Kamal through RUBYOPT, for `kamal version`: when that is done, the
# configuration as Kamal itself loads it (ERB, anchors, the destination's file)
# goes to standard output as one line of JSON behind a marker. No secret is
# looked up.
at_exit do
  marker = ENV["KAMAL_OP_RAW"]
  if marker && defined?(Kamal::Configuration)
    answer =
      begin
        require "json"
        require "pathname"
        destination = ENV["KAMAL_OP_RAW_DESTINATION"]
        destination = nil if destination.to_s.empty?
        ENV["KAMAL_DESTINATION"] = destination
        file = Pathname.new(File.expand_path(ENV.fetch("KAMAL_OP_RAW_CONFIG")))
        { raw: Kamal::Configuration.load_raw_config(config_file: file, destination: destination) }
      rescue Exception => e # rubocop:disable Lint/RescueException: whatever it is, it is told
        # A parser's text may quote what it reads, and that of ERB what it computes.
        said =
          case e
          when RuntimeError then e.message.start_with?("Configuration file not found") ? e.message : "its ERB raises an error"
          when Psych::SyntaxError then "its YAML cannot be read in line #{e.line}, column #{e.column}"
          when Kamal::ConfigurationError then e.message
          when NameError then "its ERB names #{e.name}, which is not there"
          when KeyError then "its ERB asks for a key that is not there"
          when SyntaxError then "its ERB is no Ruby"
          when Errno::ENOENT then "a file is not there"
          else "loading it raises an error"
          end
        { error: "#{said} (#{e.class.name})" }
      end
    $stdout.puts
    $stdout.puts "#{marker}#{JSON.generate(answer)}"
    $stdout.flush
  end
end
