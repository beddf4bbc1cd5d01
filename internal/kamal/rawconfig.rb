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
        { error: "#{e.message} (#{e.class.name})" }
      end
    $stdout.puts
    $stdout.puts "#{marker}#{JSON.generate(answer)}"
    $stdout.flush
  end
end
