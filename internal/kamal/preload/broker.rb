# frozen_string_literal: true

# The run's socket.
module KamalOp
  class << self
    # As ask, where Kamal goes on whatever the answer is.
    def tell(what, content)
      ask(what, content)
    rescue Cancelled
      raise
    rescue ::StandardError
      nil # what is only told must not stop a deploy; whoever needs an answer asks
    end

    def ask(what, content)
      require "socket"
      require "json"
      answer = UNIXSocket.open(SOCKET) do |socket|
        socket.write(JSON.generate({ what => content }) << "\n")
        socket.read
      end
      reply = JSON.parse(answer)
      stop("kamal-op says: #{reply["error"]}") if reply["error"]
      reply
    rescue SystemCallError, JSON::ParserError => e
      # Without an answer nothing is masked: Kamal must not go on.
      stop("kamal-op cannot be asked (#{e.class}): the run is over, or this Kamal is not part of it")
    end

    def stop(why) = raise(::Kamal::ConfigurationError, why)

    def encode(value) = [ value.to_s ].pack("m0")

    def decode(text) = text.unpack1("m0").force_encoding(Encoding::UTF_8)
  end
end
