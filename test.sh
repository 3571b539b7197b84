#!/usr/bin/env bash
# Sets up and passes all tests: `./test.sh`. Arguments go to `cargo test`, as in `./test.sh door`.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v cargo >/dev/null; then
  echo "Rust is needed (1.89 or newer): see https://rustup.rs" >&2
  exit 1
fi

for tool in cc make; do
  if ! command -v "$tool" >/dev/null; then
    echo "$tool is needed, to build the client of Kafka (on Debian: sudo apt-get install build-essential)" >&2
    exit 1
  fi
done

# Redis, PostgreSQL, Apache Kafka, and what runs the clients of the docs: done at once when all is there.
.ci/install-test-servers

# kafka-tls needs OpenSSL's headers, and is tested where they are.
if pkg-config --exists openssl 2>/dev/null; then
  features=(--all-features)
else
  features=(--features "cast-adapters/redis-tls,cast-adapters/kafka,cast-adapters/postgres-tls")
  features+=(--features "cast-core/fuzzing,cast-adapters/fuzzing,cast-server/fuzzing")
  features+=(--features "cast-server/failpoints,cast-server/otlp,cast-testkit/servers,cast-testkit/properties")
fi
exec cargo test --locked --workspace "${features[@]}" "$@"
