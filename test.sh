#!/usr/bin/env bash
# Installs what the tests need and runs all of them: `./test.sh`. Arguments go to `cargo test`, as in
# `./test.sh ticket`.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v cargo >/dev/null; then
  echo "error: cargo is missing: install Rust 1.95 or newer from https://rustup.rs" >&2
  exit 1
fi

for tool in cc make; do
  if ! command -v "$tool" >/dev/null; then
    echo "error: $tool is missing, which Kafka's client is built with (on Debian: sudo apt-get install build-essential)" >&2
    exit 1
  fi
done

# Redis, PostgreSQL, Apache Kafka, and curl, Node.js and Python for the clients of the docs. Returns at once
# where they are installed.
.ci/install-test-servers

# kafka-tls needs OpenSSL's headers, and is tested where they are installed.
if pkg-config --exists openssl 2>/dev/null; then
  features=(--all-features)
else
  features=(--features "cast-adapters/redis-tls,cast-adapters/kafka,cast-adapters/postgres-tls")
  features+=(--features "cast-server/failpoints,cast-server/otlp,cast-testkit/servers,cast-testkit/properties")
fi
exec cargo test --locked --workspace "${features[@]}" "$@"
