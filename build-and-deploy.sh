#!/usr/bin/env bash
# Builds the image, deploys it to the Kubernetes cluster of kubectl's current context, waits until it is ready
# and casts one vote.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
  cat <<'END'
./build-and-deploy.sh [--dry-run] [--image NAME:TAG] [--features LIST] [--push] [single-node|production]

  single-node   all of it, with Redis, Kafka and PostgreSQL, on one node (the default)
  production    CAST alone; the first time, CAST_TICKETS_URL, CAST_COUNTER_URL, CAST_BUS_URL and
                CAST_STORE_URL must say where Redis, Kafka and PostgreSQL are
  --dry-run     prints what it would do, and needs neither Docker nor kubectl
  --image       the name of the image; by default cast:VERSION-REVISION, and the features if --features is given
  --features    features of cast-server beside its defaults, separated by commas; by default kafka-tls,otlp
                (TLS and SASL to Kafka, and traces), "" for none
  --push        pushes the image, which --image must name with its registry; otherwise it is loaded into
                kind, minikube or k3d; a cluster that shares Docker's images (Docker Desktop) needs neither

Existing secrets are kept: deploying again changes no key and no password.
END
}

overlay=single-node image="" dry_run=false push=false
unset features
while [ $# -gt 0 ]; do
  case "$1" in
    --dry-run) dry_run=true ;;
    --push) push=true ;;
    --image) image="${2:?--image needs a name}" && shift ;;
    --features) features="${2?--features needs a list}" && shift ;;
    single-node | production) overlay="$1" ;;
    -h | --help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done

say() { printf '\n== %s\n' "$*"; }

# Runs a command, or prints it with --dry-run.
run() {
  if $dry_run; then printf '+ %s\n' "$*"; else "$@"; fi
}

kube() { run kubectl --namespace cast "$@"; }

need() {
  $dry_run && return
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null && continue
    echo "error: $tool is missing" >&2
    exit 1
  done
}

# Each state of the sources has its own tag: with an unchanged tag, Kubernetes would not replace the pods.
image_of_sources() {
  local version revision suffix
  version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
  revision=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
  [ -z "$(git status --porcelain 2>/dev/null)" ] || revision="$revision-$(date -u +%Y%m%d%H%M%S)"
  # With other features it is another program, hence another tag.
  suffix=""
  [ -z "${features+given}" ] || suffix="-${features:-default}"
  suffix=${suffix//[!a-z0-9]/-}
  echo "cast:$version-$revision$suffix"
}

build() {
  run docker build --tag "$image" ${features+--build-arg "CAST_FEATURES=$features"} \
    --build-arg "VERSION=${image##*:}" \
    --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)" .
}

# Makes the image available to the cluster's nodes.
hand_over() {
  if $push; then
    run docker push "$image"
    return
  fi
  local context="the cluster of kubectl"
  $dry_run || context=$(kubectl config current-context)
  case "$context" in
    kind-*) run kind load docker-image "$image" --name "${context#kind-}" ;;
    minikube*) run minikube image load "$image" --profile "$context" ;;
    k3d-*) run k3d image import "$image" --cluster "${context#k3d-}" ;;
    *) echo "$context must share Docker's images: if it does not, use --push" ;;
  esac
}

has_secret() { ! $dry_run && kubectl --namespace cast get secret "$1" >/dev/null 2>&1; }

# Makes a secret of NAME=VALUE lines on standard input. They are piped, because other users of the machine can
# read command lines.
make_secret() {
  if has_secret "$1"; then
    echo "secret $1 exists and is kept"
  elif $dry_run; then
    printf '+ kubectl --namespace cast create secret generic %s --from-env-file=/dev/stdin\n' "$1"
    sed 's/=.*/=.../; s/^/    /'
  else
    kubectl --namespace cast create secret generic "$1" --from-env-file=/dev/stdin
  fi
}

random_hex() { if $dry_run; then echo ...; else openssl rand -hex "$1"; fi; }

# The URLs of a deployment that uses existing servers.
given_urls() {
  local setting variable missing=()
  for setting in tickets counter bus store; do
    variable="CAST_${setting^^}_URL"
    [ -n "${!variable:-}" ] || missing+=("$variable")
  done
  if [ "${#missing[@]}" != 0 ] && ! $dry_run; then
    echo "error: the first deployment needs the variables ${missing[*]}, the URLs of the servers" >&2
    exit 1
  fi
  printf '%s\n' "tickets-url=${CAST_TICKETS_URL:-}" "counter-url=${CAST_COUNTER_URL:-}" \
    "bus-url=${CAST_BUS_URL:-}" "store-url=${CAST_STORE_URL:-}"
}

# PostgreSQL's password is in two secrets, which are made together or not at all.
own_urls() {
  local password
  password=$(random_hex 24)
  make_secret cast-postgres <<<"password=$password"
  make_secret cast-urls <<END
tickets-url=redis://redis:6379/0
counter-url=redis://redis:6379/0
bus-url=kafka://kafka:9092/votes
store-url=postgres://cast:$password@postgres:5432/cast
END
}

secrets() {
  make_secret cast-ticket-keys <<<"ticket-keys=1:$(random_hex 32)"
  if has_secret cast-urls; then
    echo "secret cast-urls exists and is kept"
  elif [ "$overlay" = production ]; then
    local urls
    urls=$(given_urls)
    make_secret cast-urls <<<"$urls"
  elif has_secret cast-postgres; then
    echo "error: the secret cast-postgres exists and cast-urls, whose store-url has the same password, does" \
      "not: delete cast-postgres and PostgreSQL's volume, or create cast-urls again" >&2
    exit 1
  else
    own_urls
  fi
}

# The overlay, with the built image.
rendered() {
  kubectl kustomize "k8s/overlays/$overlay" |
    sed -E "s|^( *(- )?image: )([^ ]*/)?cast:[^ ]*$|\1$image|"
}

# Applies the overlay; arguments select a part of it.
apply() {
  if $dry_run; then
    echo "+ kubectl kustomize k8s/overlays/$overlay, with the image $image | kubectl apply --filename - $*"
    return
  fi
  rendered | kubectl apply --filename - "$@"
}

# Waits until the tables and the topic exist. Returns at once, with its last log lines, if the Job failed.
await_migration() {
  if $dry_run; then
    echo "+ kubectl --namespace cast get job migrate, until it is complete or failed, for 10m at most"
    return
  fi
  local ended
  for _ in $(seq 300); do
    # An API server that does not answer is asked again.
    ended=$(kubectl --namespace cast get job migrate \
      --output 'jsonpath={.status.conditions[?(@.status=="True")].type}') || ended=""
    case "$ended" in
      *Failed*) break ;;
      *Complete*) return ;;
    esac
    sleep 2
  done
  kubectl --namespace cast logs job/migrate --tail 20 >&2 || true
  echo "error: the migration ${ended:-did not end}: its last log lines are above" >&2
  return 1
}

# The log's readers before its writers: an older consumer may not understand the records of a newer API
# server.
deploy_readers() {
  # A Job cannot be changed.
  kube delete job migrate --ignore-not-found
  apply --selector 'app.kubernetes.io/name notin (api,ticket-generator)'
  local server
  if [ "$overlay" = single-node ]; then
    for server in redis kafka postgres; do
      kube rollout status "statefulset/$server" --timeout 10m
    done
  fi
  await_migration
  kube rollout status deployment/vote-consumer --timeout 5m
}

deploy_the_rest() {
  apply
  local role
  for role in ticket-generator api; do
    kube rollout status "deployment/$role" --timeout 5m
  done
}

graphql() {
  curl --silent --show-error --fail-with-body --max-time 10 "http://127.0.0.1:$port/graphql" \
    --header 'content-type: application/json' --data "$1"
}

# Casts one vote. The current ticket may expire before the vote arrives, and a response may be lost, so the same
# ballot is sent up to five times.
vote() {
  local id ticket answer document
  id=$(openssl rand -hex 16 | sed -E 's/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/\1-\2-4\3-8\4-\5/')
  # shellcheck disable=SC2016 # $t is a variable of GraphQL
  document='mutation($t: String!, $i: ID) { vote(usernames: [\"alice\"], voteCount: [1], ticket: $t, ballotId: $i) { success message votes } }'
  for pause in 0 0.5 1 2 2; do
    sleep "$pause"
    ticket=$(graphql '{"query":"{ cas { ticket } }"}' | grep -o '[0-9a-f]\{64\}') || continue
    answer=$(graphql "{\"query\":\"$document\",\"variables\":{\"t\":\"$ticket\",\"i\":\"$id\"}}") || continue
    echo "$answer"
    case "$answer" in *'"success":true'*) return ;; esac
  done
  echo "error: the vote was not accepted" >&2
  return 1
}

cast_one_vote() {
  if $dry_run; then
    echo "+ kubectl --namespace cast port-forward service/api :8000 &"
    echo "+ gets a ticket and votes for alice with it, through that port"
    return
  fi
  local log
  log=$(mktemp)
  kubectl --namespace cast port-forward service/api :8000 >"$log" &
  # shellcheck disable=SC2064 # expanded now: both are unset when the shell ends
  trap "kill $! 2>/dev/null || true; rm -f '$log'" EXIT
  for _ in $(seq 50); do
    port=$(sed -n 's/^Forwarding from 127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$log" | head -n 1)
    [ -z "$port" ] || break
    sleep 0.2
  done
  [ -n "$port" ] || { echo "error: kubectl cannot forward a port to the service api" >&2; exit 1; }
  vote
}

if $push && [[ "$image" != */* ]]; then
  echo "error: --push needs --image REGISTRY/NAME:TAG, a name with a registry" >&2
  exit 2
fi
[ -n "$image" ] || image=$(image_of_sources)
need docker kubectl openssl curl

say "the image $image"
build
hand_over

say "the namespace and its secrets"
run kubectl apply --filename k8s/base/namespace.yaml
secrets

say "the deployment: $overlay"
deploy_readers
deploy_the_rest

say "a vote"
cast_one_vote

say "done"
if [ "$overlay" = single-node ]; then
  echo "GraphQL is at http://NODE:30000/graphql; on this machine alone, by" \
    "kubectl --namespace cast port-forward service/api 8000, at http://127.0.0.1:8000/graphql"
else
  echo "GraphQL is behind the Ingress of k8s/overlays/production/ingress.yaml"
fi
