# frozen_string_literal: true

module KamalOp
  # One reading of the secrets files. What a command prints and what a variable
  # holds is kept out of the text while dotenv looks for more to substitute, in
  # whichever order it does that; in its place stands a token, which is put back
  # when dotenv is done with the value.
  class Evaluation
    # A value that is kept, and what is wrong with it. One that is text a shell may
    # read: what a person wrote into the same file, and what an in-process fetch
    # gives, which is escaped for a shell; word is what a shell makes of the latter.
    # All others are data.
    Kept = Struct.new(:value, :trouble, :text, :word)

    TOKEN = /\u{F8E6}(\d+)\u{F8E7}/

    # Bytes that mean themselves to a shell, between blanks.
    PLAIN = %r{\A[\w@%+=:,./ \t-]*\z}n

    attr_reader :also

    def initialize
      @kept = []
      @also = []
      @troubles = {}
    end

    def troubles(name) = @troubles.fetch(name, [])

    # A file begins. Each is read by itself: $X is X of the same file.
    def file
      @names = []
      @text = {} # by name, the kept value that is text, or nil for what was written
    end

    def name=(name)
      @name = name
      @failed = []
    end

    # The value of @name, the text in dotenv's hands put together again.
    def finish(text)
      tokens(text).each { |kept| blame(kept) }
      @troubles[@name] = @failed
      @names << @name
      @text.delete(@name)
      if !text.match?(TOKEN)
        @text[@name] = nil
      elsif alone(text)&.text
        @text[@name] = alone(text)
      end
      reveal(text)
    end

    # Hash-like, for dotenv: a token for each variable.
    class Variables
      def initialize(evaluation, env)
        @evaluation, @env = evaluation, env
      end

      def [](name) = @evaluation.variable(name, @env)
    end

    def variables(env) = env.is_a?(Variables) ? env : Variables.new(self, env)

    def variable(name, env)
      if env.key?(name)
        failed = @names.include?(name) && troubles(name).any?
        keep(env[name], trouble: ({ how: "depends", detail: name } if failed), text: @text.key?(name), word: @text[name]&.word)
      elsif KamalOp.declared.key?(name)
        keep(KamalOp.declared[name])
      elsif ENV.key?(name)
        keep(ENV[name])
      else
        keep("", trouble: { how: "unset", detail: name })
      end
    end

    # What `...` is to the substitution: a command for the system.
    def run(command)
      return keep("") if blocked?(command)

      line, env = shell(command)
      env = environment.merge(env, SECRET => @name)
      output = IO.popen(env, line, &:read).force_encoding(Encoding::UTF_8)
      if $?.exitstatus == 127
        fail!("missing", program(command))
      elsif !$?.success?
        fail!("exit", $?.signaled? ? "signal #{$?.termsig}" : "exit status #{$?.exitstatus}")
      end
      word = fetched_word(output) if line.match?(/kamal\s+secrets\s+fetch\s/)
      # Kamal before 2.10 escapes what any fetch prints, later ones do not.
      keep(without_newline(output, line), text: !word.nil? && word != output.chomp, word: word)
    rescue SystemCallError => e
      # dotenv would take a missing command for a missing file, and give nothing
      # of this one.
      e.is_a?(Errno::ENOENT) ? fail!("missing", program(command)) : fail!("exit", e.class.name)
      keep("")
    end

    # A `kamal secrets` command, which Kamal runs in its own process.
    def inline(command)
      return keep("") if blocked?(command)

      words = words(command)[1..]
      before, ENV[SECRET] = ENV[SECRET], @name
      result = ::Kamal::Cli::Main.start(words + [ "--inline" ])
      if result.is_a?(String)
        fetch = words[1] == "fetch"
        keep(result, text: fetch, word: (fetched_word(result) if fetch))
      else
        fail!("error", "`kamal secrets #{words[1]}` gives nothing#{", --account may be missing" if words[1] == "fetch" && words.none? { |w| w.start_with?("--account") }}")
        keep("")
      end
    rescue Cancelled
      raise
    rescue SystemExit
      fail!("usage", unset(command))
      keep("")
    rescue StandardError => e
      fail!("error", told(e, command))
      keep("")
    ensure
      ENV[SECRET] = before
    end

    private
      def keep(value, trouble: nil, text: false, word: nil)
        @kept << Kept.new(value.dup.force_encoding(Encoding::UTF_8), trouble, text, word)
        "\u{F8E6}#{@kept.size - 1}\u{F8E7}"
      end

      def reveal(text) = replace(text) { |kept| kept.value }

      # What stands for tokens in a text.
      def tokens(text) = text.scan(TOKEN).filter_map { |(index)| @kept[index.to_i] }

      # What a text stands for that is one token and nothing else.
      def alone(text) = (token(text) if text.match?(/\A#{TOKEN}\z/o))

      # What a piece of text stands for, or nil.
      def token(piece) = (index = piece[TOKEN, 1]) && @kept[index.to_i]

      # gsub would look into values that are no UTF-8.
      def replace(text)
        text.split(/(\u{F8E6}\d+\u{F8E7})/).map { |piece| (kept = token(piece)) ? yield(kept) : piece }.join
      end

      # The declared secrets, for a command that reads its environment, such as
      # printenv. The system has room for two megabytes of it, 128 KiB a variable.
      def environment
        room = 1 << 20
        KamalOp.declared.select { |_, value| !value.include?("\0") && value.bytesize < 100_000 && (room -= value.bytesize) > 0 }
      end

      # The program of a command, as the file names it: "" where a value or something
      # else stands in its place. What the line has become may hold values.
      def program(command) = command[/\A\s*([\w.\/+-]{1,40})(?=\s|\z)/, 1].to_s

      # What went wrong, in words that hold no value: Kamal and its adapters write of
      # what they were given as arguments, a parser quotes what it reads.
      def told(error, command)
        return "a quote has no other half in the words of its `kamal secrets` command" if error.message.start_with?("Unmatched quote")
        return "#{error.class} in `kamal secrets`" unless [ RuntimeError, ::Kamal::ConfigurationError ].include?(error.class)

        given = tokens(command).flat_map { |kept| [ kept.value, kept.word, *kept.value.scrub.split(/[\s'"\\]+/) ] }
        given.compact.reject(&:empty?).sort_by { |text| -text.bytesize }.inject(error.message.scrub) do |message, text|
          message.gsub(text.scrub, "***")
        end.lines.first.to_s.strip[0, 300]
      end

      def fail!(how, detail) = @failed << { how: how, detail: detail.to_s.scrub }

      def blame(kept)
        @failed << kept.trouble if kept.trouble && !@failed.include?(kept.trouble)
      end

      # A command is not run on what did not arrive.
      def blocked?(command)
        depends = tokens(command).filter_map(&:trouble).select { |trouble| trouble[:how] == "depends" }
        @failed.concat(depends - @failed)
        depends.any?
      end

      def unset(command)
        tokens(command).filter_map(&:trouble).find { |trouble| trouble[:how] == "unset" }&.fetch(:detail)
      end

      # Exactly one newline is what the command added. Where it is known what it
      # adds, a carriage return before it belongs to the value.
      def without_newline(output, line)
        case line
        when /\A\s*op\s+read\s.*(\s-n|\s--no-newline)(\s|\z)/m then output
        when /\A\s*(op\s+read|(bundle\s+exec\s+)?\S*kamal\s+secrets)\s/ then output.delete_suffix("\n")
        else output.chomp
        end
      end

      # What a fetch gives, as the one word that a shell makes of it. Every field in
      # it is masked, extracted or not.
      def fetched_word(output)
        word = output.start_with?("\\{") ? output.shellsplit.first : output.chomp
        fields = JSON.parse(word)
        return unless fields.is_a?(Hash)

        @also.concat(fields.values.grep(String))
        word
      rescue JSON::ParserError, ArgumentError
        nil # no JSON is in it: it is kept as it is
      end

      # The words of a command. What a fetch gave is one, however long: a shell's
      # rules need not be gone through for each extract.
      def words(command)
        command.shellsplit.map do |word|
          next word if tokens(word).none?

          kept = alone(word)
          return reveal(command).shellsplit unless kept&.text && kept.word

          kept.word
        end
      end

      # The line for a shell, with values in it. dotenv would paste them, and the
      # shell would read them: one with $( ) or a quote in it goes by way of the
      # environment, quoted for the place where it stands.
      def shell(command)
        env = {}
        quote = nil
        line = +""
        command.split(/(\u{F8E6}\d+\u{F8E7})/).each do |piece|
          unless (kept = token(piece))
            quote = quoting(piece, quote)
            line << piece
            next
          end
          if kept.text || PLAIN.match?(kept.value.b)
            line << kept.value
          else
            name = "KAMAL_OP_VALUE_#{env.size}"
            env[name] = kept.value
            line << { "'" => %('"${#{name}}"'), '"' => "${#{name}}" }.fetch(quote, %("${#{name}}"))
          end
        end
        [ line, env ]
      end

      # The quote that is open after text.
      def quoting(text, quote)
        text.scan(/\\.|['"]/m) do |found|
          if found.start_with?("\\")
            quote = nil if quote == "'" && found == "\\'"
          elsif quote.nil?
            quote = found
          elsif quote == found
            quote = nil
          end
        end
        quote
      end
  end
end
