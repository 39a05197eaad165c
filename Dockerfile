# Rushhour in an image of its own: the static binary, root certificates, the shipped profiles.
#
#   docker build -t rushhour .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" rushhour run /profiles/quickstart.toml

FROM rust:1.95.0-bookworm AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends cmake musl-tools \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN packaging/build-static /image

FROM scratch
LABEL org.opencontainers.image.title="rushhour" \
      org.opencontainers.image.description="Load tester for AI agents that run on LiveKit" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /image /
# In numbers: Kubernetes' runAsNonRoot does not read names.
USER 65532:65532
WORKDIR /work
ENTRYPOINT ["/usr/bin/rushhour"]
CMD ["--help"]
