# The image of the action: Kamal's own official image plus one static binary.
#
# Both base images are arguments, so that it can be built from others; the defaults
# are pinned by digest, for both architectures, and moved on by hand. The build
# stage needs no more of its own than /usr/local/go: each step is one command
# without a shell. Where the context has a vendor/ folder nothing is downloaded.
ARG GO_IMAGE=golang:1.26.8-alpine3.24@sha256:ce864e7223ac17b1775e6fd0b4c0db580c2eb50e7953a427916379e4b92a1628
ARG KAMAL_IMAGE=ghcr.io/basecamp/kamal:v2.12.0@sha256:7b5be276aa17bbe122887f6a1ff12865f4848111989699b9786083be95d98415

FROM ${GO_IMAGE} AS build
ARG VERSION=
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOCACHE=/go/cache GOTMPDIR=/src/kamal-op \
    GOFLAGS="-buildvcs=false -trimpath '-ldflags=-s -w -X github.com/kamal-op/kamal-op/internal/cli.release=${VERSION}'"
# Without BuildKit this stage stays on the engine: build/e2e.sh finds it by this.
LABEL kamal-op.stage=build
WORKDIR /src/kamal-op
COPY . .
RUN ["/usr/local/go/bin/go", "build", "-o", "/kamal-op", "."]
# The terms of all that is linked go where the binary goes.
RUN ["/usr/local/go/bin/go", "run", "./build/release", "-licences", "/THIRD-PARTY-LICENSES"]
# The core of 1Password's SDK, compiled now and not in every run;
# a container may be another user's than root.
RUN ["/kamal-op", "cache", "warm", "--shared", "/usr/local/share/kamal-op/core"]

FROM ${KAMAL_IMAGE}
COPY --from=build /usr/local/share/kamal-op /usr/local/share/kamal-op
COPY --from=build /kamal-op /usr/local/bin/kamal-op
COPY --from=build /THIRD-PARTY-LICENSES /src/kamal-op/LICENSE /usr/share/doc/kamal-op/
# A post-entrypoint is started without arguments: it goes by its name.
RUN ["ln", "-s", "kamal-op", "/usr/local/bin/kamal-op-post"]
# It is kamal-op, but for what CI systems start in an image: see internal/cli/entrypoint.go.
ENTRYPOINT ["kamal-op", "entrypoint"]
