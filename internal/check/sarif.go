package check

import (
	"encoding/json"
	"io"
	"path/filepath"
)

// The part of SARIF 2.1.0 that a report needs (OASIS, sarif-v2.1.0).
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		InformationURI string      `json:"informationUri"`
		Version        string      `json:"version,omitempty"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID   string    `json:"id"`
		Text sarifText `json:"shortDescription"`
		Help string    `json:"helpUri"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     Level           `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
)

// WriteSARIF writes the report as SARIF 2.1.0, for code scanning. version is this
// program's.
func WriteSARIF(w io.Writer, r Report, version string) error {
	driver := sarifDriver{Name: "kamal-op", InformationURI: "https://github.com/kamal-op/kamal-op", Version: version}
	index := map[string]int{}
	for i, rule := range rules() {
		index[rule[0]] = i
		driver.Rules = append(driver.Rules, sarifRule{rule[0], sarifText{rule[1]}, help(rule[0]).URL()})
	}
	run := sarifRun{Tool: sarifTool{driver}, Results: []sarifResult{}}
	for _, f := range r.Findings {
		text := f.Problem.Message
		if f.Problem.Hint != "" {
			text += "\n" + f.Problem.Hint
		}
		result := sarifResult{RuleID: f.Rule, RuleIndex: index[f.Rule], Level: f.Level, Message: sarifText{text}}
		if at := f.Problem.Place; at.File != "" {
			physical := sarifPhysical{Artifact: sarifArtifact{filepath.ToSlash(at.File)}}
			if at.Line > 0 {
				physical.Region = &sarifRegion{at.Line, at.Column}
			}
			result.Locations = []sarifLocation{{physical}}
		}
		run.Results = append(run.Results, result)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0", Runs: []sarifRun{run},
	})
}
