# The program alone, on what it is linked with: no shell, no package manager, nobody's root.
#
#   docker build --tag cast:0.1.0 .
#   docker run --rm --publish 127.0.0.1:8000:8000 cast:0.1.0        # all in one process, in memory
#
# CAST_FEATURES adds features that are no default: `kafka-tls` for a log behind TLS or SASL, `otlp` for traces.
ARG RUST_IMAGE=docker.io/library/rust:1.95.0-slim-bookworm
# Of the same Debian release as the image above: it has that glibc. It also has OpenSSL and the roots of
# the web's certificates.
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${RUST_IMAGE} AS build
ARG CAST_FEATURES=""
# librdkafka is built from source, with make; libssl-dev is for kafka-tls alone. Debian keeps no old
# versions of a package, so none is named: the release is.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ libssl-dev make pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# What was compiled stays in caches outside of the image's layers: a change of the source compiles what
# changed. zlib goes into the program, because the image below has none.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    LIBZ_SYS_STATIC=1 CARGO_PROFILE_RELEASE_STRIP=debuginfo \
    cargo build --locked --release --package cast-server --features "${CAST_FEATURES}" \
    && install -D target/release/cast-server /out/cast-server

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="CAST" \
      org.opencontainers.image.description="A voting backend: tickets, votes and tallies over GraphQL" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/cast-server /usr/local/bin/cast-server
# A library that it is linked with and that is not here would be missed when it starts: it starts here first.
RUN ["/usr/local/bin/cast-server", "--version"]
# By number: whoever demands that no container runs as root looks at this, and knows no names.
USER 65532:65532
# In a container of its own, 127.0.0.1 is nobody's address but its own.
ENV CAST_LISTEN=0.0.0.0:8000
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/cast-server", "health"]
ENTRYPOINT ["/usr/local/bin/cast-server"]
CMD ["serve"]
