# The program alone in an image: docker build -t goproxy-action .
# Builds with buildx (for other platforms too), with buildah and podman, and with Docker before version 23 by
# DOCKER_BUILDKIT=1. Behind a corporate network give --build-arg GOPROXY=… and HTTPS_PROXY=…, and GO_IMAGE=… and
# STATIC_IMAGE=… where images come from a registry of your own.

# Tags, not digests: what the first one builds is compared with the release's manifest, whatever image built it, and the
# second one is to bring the certificates of the day. A release names both with their digests by these arguments.
ARG GO_IMAGE=docker.io/library/golang:1.26-bookworm
ARG STATIC_IMAGE=gcr.io/distroless/static-debian12:nonroot

# On the builder's own platform: Go compiles for the others, and nothing is emulated.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
WORKDIR /src
# Arguments of this stage are in no layer, label, variable or history of the image. Only a provenance of buildx in
# mode=max would name them: --provenance=false where they hold a password.
ARG GOPROXY
ARG GOSUMDB
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION
ARG OFFICIAL_GO
ARG OFFICIAL_NPM
ARG TARGETOS
ARG TARGETARCH
# The flags of .goreleaser.yaml, so that the bytes are those of a release. The image has no Go whose default could be
# asked at run time: where the build does not name it, it is the build image's. That has no npm: where the build does not
# name its default registry (go run ./.github/release env prints both), a checkout says it as official.npm in
# .goproxy/config.yaml, or LCK001 has a question in place of an answer.
RUN first='s#^GOPROXY=\([^,|]*[^,|/]\).*#\1#p' \
 && official=${OFFICIAL_GO:-$(sed -n "$first" "$(go env GOROOT)/go.env")} \
 && CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
      -ldflags "-s -w -X main.version=$VERSION -X main.officialGo=$official -X main.officialNPM=$OFFICIAL_NPM" \
      -o /out/goproxy-action ./cmd/goproxy-action

FROM ${STATIC_IMAGE}
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="goproxy-action" \
      org.opencontainers.image.description="The safest and fastest way for a CI job to reach its dependencies, on any network" \
      org.opencontainers.image.source="https://github.com/org/goproxy-action" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /out/goproxy-action /usr/local/bin/goproxy-action
# By number, so that a cluster can see that it is not root. Any other user will do as well: nothing in the image is the
# user's own, and nothing is written to it.
USER 65532:65532
# Where a checkout is mounted: docker run --rm --read-only -v "$PWD:/src:ro" IMAGE check --scope repo
WORKDIR /src
ENTRYPOINT ["/usr/local/bin/goproxy-action"]
