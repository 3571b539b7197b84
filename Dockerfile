# The program alone, with the libraries that it is linked with: no shell, no package manager, no root.
#
#   docker build --tag cast:0.1.0 .
#   docker run --rm --publish 127.0.0.1:8000:8000 cast:0.1.0        # all in one process, in memory
#
# CAST_FEATURES adds features of cast-server to its defaults. An image speaks TLS and SASL to Kafka and sends
# traces; `cargo build` does neither unless asked (docs/adr/0021-profiles-and-features.md says why).
ARG RUST_IMAGE=docker.io/library/rust:1.95.0-slim-bookworm
# The same Debian release as the image above, hence the same glibc and OpenSSL. It also has the web's root
# certificates.
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${RUST_IMAGE} AS build
ARG CAST_FEATURES="kafka-tls,otlp"
# librdkafka is built from source, with make, and with OpenSSL's headers for kafka-tls. Debian removes old
# versions of a package, so no version is pinned: the release is.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ libssl-dev make pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# Compiled crates stay in caches outside of the image's layers: after a change of the source only the changed
# crates are compiled. zlib is linked statically, because the runtime image has none; OpenSSL dynamically, so
# that a newer runtime image brings its fixes. The profile `dist` optimises most and strips the program.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    LIBZ_SYS_STATIC=1 \
    cargo build --locked --profile dist --package cast-server --features "${CAST_FEATURES}" \
    && install -D target/dist/cast-server /out/cast-server \
    && install -d -m 700 /out/data

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="CAST" \
      org.opencontainers.image.description="A voting backend: tickets, votes and tallies over GraphQL" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/cast-server /usr/local/bin/cast-server
# Fails the build if a shared library that the program needs is missing from the runtime image.
RUN ["/usr/local/bin/cast-server", "--version"]
# What `serve` keeps without servers.
COPY --from=build --chown=65532:65532 /out/data /data
VOLUME ["/data"]
# By number: Kubernetes' runAsNonRoot cannot check a user name.
USER 65532:65532
# Inside a container, 127.0.0.1 cannot be reached from outside of it.
ENV CAST_LISTEN=0.0.0.0:8000 CAST_DATA_DIR=/data
EXPOSE 8000
STOPSIGNAL SIGTERM
# Liveness: a process that waits for other servers is healthy.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/cast-server", "health", "--live"]
ENTRYPOINT ["/usr/local/bin/cast-server"]
CMD ["serve"]
