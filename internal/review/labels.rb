# Gives what Kamal makes of a preview kamal-op's labels, beside Kamal's own: the
# containers of the app and of the preview's own accessories, and the images that
# are built. A removal takes what bears them and nothing else. What is shared with
# others, an accessory of another name, gets none. Ruby programs of hooks load this
# too, and are left alone.
module KamalOpLabels
  OURS = {
    "kamal-op.review.service" => ENV["REVIEW_OF"],
    "kamal-op.review.repository" => ENV["REVIEW_REPOSITORY"],
    "kamal-op.review.number" => ENV["REVIEW_NUMBER"]
  }.compact.freeze

  module Role
    def labels = super.merge(OURS)
  end

  module Accessory
    def labels
      service_name.to_s.start_with?("#{ENV["REVIEW_SERVICE"]}-") ? super.merge(OURS) : super
    end
  end

  module Build
    private def build_labels = super + argumentize("--label", OURS)
  end

  CLASSES = {
    "Kamal::Configuration::Role" => Role,
    "Kamal::Configuration::Accessory" => Accessory,
    "Kamal::Commands::Builder::Base" => Build
  }
end

program = File.basename($PROGRAM_NAME)
kamal = program.start_with?("kamal") || (program.start_with?("bundle") && ARGV.any? { |arg| File.basename(arg) == "kamal" })

TracePoint.new(:end) { |t|
  if t.self.class == Class && (labels = KamalOpLabels::CLASSES[t.self.name])
    t.self.prepend(labels)
  end
}.enable if kamal
