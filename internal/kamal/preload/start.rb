# frozen_string_literal: true

# Last: the parts before it are loaded.

KamalOp::Held.watch if KamalOp::Held.given?
KamalOp::Early.watch if KamalOp::Early.waiting?

if ENV["KAMAL_OP_PROBE"] || !KamalOp::SOCKET.empty?
  # Kamal's commands are the last thing that `require "kamal"` loads of interest.
  TracePoint.new(:end) do |trace|
    if trace.path.end_with?("/kamal/cli/main.rb") && trace.self.is_a?(Class) && trace.self.name == "Kamal::Cli::Main"
      trace.disable
      # A run asks before it relies on this: a bin/kamal may be a shell script around
      # a container, which RUBYOPT does not reach, or load Kamal from elsewhere.
      $stdout.puts(ENV["KAMAL_OP_PROBE"]) if ENV["KAMAL_OP_PROBE"]
      KamalOp.attach(trace.self) unless KamalOp::SOCKET.empty?
    end
  end.enable
end
