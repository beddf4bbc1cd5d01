$stdout.sync = true if File.basename($0) == "kamal"
