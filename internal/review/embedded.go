package review

import _ "embed" // for Ruby and YAML

// LabelsPreload is Ruby to be required before Kamal in every command of a preview:
// it gives what Kamal makes the labels of App.Labels.
//
//go:embed labels.rb
var LabelsPreload string

// Overlay is the config/deploy.review.yml that a project begins with.
//
//go:embed deploy.review.yml
var Overlay string
