package reference

import (
	"encoding/json"
	"slices"
)

// schemaURL is where the schema of the project file is published.
const schemaURL = "https://raw.githubusercontent.com/kamal-op/kamal-op/main/docs/schema/kamal-op.json"

// InFile are the options that may stand in the project file, each once.
func InFile(g Grammar) (options []Option) {
	for _, c := range g.Commands {
		for _, o := range c.Options {
			if o.File != "" && !slices.ContainsFunc(options, func(known Option) bool { return known.Name == o.Name }) {
				options = append(options, o)
			}
		}
	}
	return options
}

// schema is the JSON Schema of the project file, for editors.
func schema(g Grammar) string {
	properties := map[string]any{}
	for _, o := range InFile(g) {
		description := asInput(o)
		if o.File == "confirmed" {
			description += " Counts with --trust-project-file only."
		}
		property := map[string]any{"description": description}
		text := map[string]any{"type": []string{"string", "number", "boolean"}}
		switch {
		case o.Kind == List:
			property["anyOf"] = []any{
				text, map[string]any{"type": "array", "items": text}, map[string]any{"type": "object", "additionalProperties": text},
			}
		case o.Kind == Selection:
			property["anyOf"] = []any{
				map[string]any{"type": []string{"boolean", "string"}}, map[string]any{"type": "array", "items": map[string]any{"type": "string"}},
			}
		case o.Kind == Switch:
			property["type"] = "boolean"
		case o.Kind == Number:
			property["type"] = "integer"
		case len(o.Enum) > 0:
			property["enum"] = o.Enum
		default:
			property["type"] = []string{"string", "number"}
		}
		properties[o.Name] = property
		if o.Input != "" {
			properties[o.Input] = property
		}
	}
	top := map[string]any{}
	for name, property := range properties {
		top[name] = property
	}
	top["destinations"] = map[string]any{
		"description":          "What is another for a destination, by its name.",
		"type":                 "object",
		"additionalProperties": map[string]any{"type": "object", "additionalProperties": false, "properties": properties},
	}
	text, err := json.MarshalIndent(map[string]any{
		"$schema": "http://json-schema.org/draft-07/schema#", "$id": schemaURL, "title": ".kamal/kamal-op.yml",
		"type": "object", "additionalProperties": false, "properties": top,
	}, "", "  ")
	if err != nil {
		panic(err) // it is made of texts
	}
	return string(text) + "\n"
}

// fileTable is the table of what may stand in the project file.
func fileTable(g Grammar) string {
	text := "\n| option | counts |\n|---|---|\n"
	for _, o := range InFile(g) {
		name := "`" + o.InputName() + "`"
		counts := "always"
		if o.File == "confirmed" {
			counts = "with `--trust-project-file`"
		}
		text += "| " + name + " | " + counts + " |\n"
	}
	return text + "\n"
}
