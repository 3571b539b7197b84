#!/usr/bin/env bash
# Sets up and passes all tests: `./test.sh`. Arguments go to `cargo test`, as in `./test.sh door`.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v cargo >/dev/null; then
  echo "Rust is needed (1.89 or newer): see https://rustup.rs" >&2
  exit 1
fi

# Redis, PostgreSQL and Apache Kafka: done at once when they are there.
.ci/install-test-servers

# All but kafka-tls, which needs OpenSSL's headers; the failpoints are for the tests of the stack.
features=cast-adapters/redis-tls,cast-adapters/kafka,cast-adapters/postgres-tls
features+=,cast-server/failpoints,cast-testkit/servers
exec cargo test --locked --workspace --features "$features" "$@"
