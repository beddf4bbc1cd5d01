package main

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// A record is an object of JSON. Its keys are sorted when it is written: the same
// bill is the same bytes.
type record = map[string]any

// cycloneDX is the bill in the form of https://cyclonedx.org, version 1.6.
func (b bill) cycloneDX() record {
	component := func(p part, kind, ref string) record {
		c := record{"type": kind, "bom-ref": ref, "name": p.name, "version": p.version}
		if p.purl != "" {
			c["purl"] = p.purl
		}
		if p.sha256 != "" {
			c["hashes"] = []record{{"alg": "SHA-256", "content": p.sha256}}
		}
		if p.licence != "" {
			c["licenses"] = []record{{"license": record{"id": p.licence}}}
		}
		if p.note != "" {
			c["description"] = p.note
		}
		if p.sum != "" {
			c["properties"] = []record{{"name": "go:sum", "value": p.sum}}
		}
		return c
	}
	var (
		components []record
		refs       []string
	)
	for i, p := range b.parts {
		kind := "library"
		if p.purl == "" {
			kind = "file"
		}
		ref := fmt.Sprintf("part-%d", i+1)
		refs = append(refs, ref)
		components = append(components, component(p, kind, ref))
	}
	return record{
		"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6",
		"serialNumber": "urn:uuid:" + b.uuid(), "version": 1,
		"metadata": record{
			"timestamp": b.at.Format(time.RFC3339), "component": component(b.program, "application", "kamal-op"),
		},
		"components":   components,
		"dependencies": []record{{"ref": "kamal-op", "dependsOn": refs}},
	}
}

// uuid names the bill by the binary that it is of.
func (b bill) uuid() string {
	sum := sha256.Sum256([]byte("bill of materials of " + b.program.sha256))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8, RFC 9562
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// spdx is the bill in the form of https://spdx.dev, version 2.3.
func (b bill) spdx() record {
	pack := func(p part, id string) record {
		licence := p.licence
		if licence == "" {
			licence = noAssertion
		}
		c := record{
			"SPDXID": id, "name": p.name, "versionInfo": p.version, "downloadLocation": noAssertion, "filesAnalyzed": false,
			"licenseConcluded": noAssertion, "licenseDeclared": licence, "copyrightText": noAssertion,
		}
		if p.purl != "" {
			c["externalRefs"] = []record{{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": p.purl}}
		}
		if p.sha256 != "" {
			c["checksums"] = []record{{"algorithm": "SHA256", "checksumValue": p.sha256}}
		}
		if p.note != "" {
			c["comment"] = p.note
		}
		return c
	}
	const program = "SPDXRef-kamal-op"
	packages := []record{pack(b.program, program)}
	relations := []record{{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": program}}
	for i, p := range b.parts {
		id := fmt.Sprintf("SPDXRef-part-%d", i+1)
		packages = append(packages, pack(p, id))
		relations = append(relations, record{"spdxElementId": program, "relationshipType": "CONTAINS", "relatedSpdxElement": id})
	}
	return record{
		"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
		"name":              "kamal-op " + b.program.version + " " + b.program.note,
		"documentNamespace": "https://github.com/kamal-op/kamal-op/spdx/" + b.uuid(),
		"creationInfo":      record{"created": b.at.Format(time.RFC3339), "creators": []string{"Tool: kamal-op-build-release"}},
		"packages":          packages, "relationships": relations,
	}
}
