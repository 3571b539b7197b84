#!/usr/bin/env bash
# Builds the image, deploys it to the Kubernetes cluster that kubectl talks to, waits until it is ready,
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
  --image       what to call the image: cast:VERSION-REVISION, and its features, unless it is said
  --features    what to build it with beyond the default: kafka-tls, for a log behind TLS or SASL; otlp,
                for traces; both with a comma in between
  --push        pushes the image, which --image must name with its registry; otherwise it is loaded into
                kind, minikube or k3d, and a cluster that shares Docker's images (Docker Desktop) has it

Secrets that are there are kept: to deploy again changes no key and no password.
END
}

overlay=single-node image="" features="" dry_run=false push=false
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

# Runs a command; or prints it.
run() {
  if $dry_run; then printf '+ %s\n' "$*"; else "$@"; fi
}

kube() { run kubectl --namespace cast "$@"; }

need() {
  $dry_run && return
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null && continue
    echo "$tool is needed" >&2
    exit 1
  done
}

# A tag of its own for each state of the sources: the same one would not roll the processes.
image_of_sources() {
  local version revision
  version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
  revision=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
  [ -z "$(git status --porcelain 2>/dev/null)" ] || revision="$revision-$(date -u +%Y%m%d%H%M%S)"
  # Built with other features it is another program.
  echo "cast:$version-$revision${features:+-${features//[!a-z0-9]/-}}"
}

build() {
  run docker build --tag "$image" --build-arg "CAST_FEATURES=$features" \
    --build-arg "VERSION=${image##*:}" \
    --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)" .
}

# Brings the image to where the cluster's nodes find it.
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
    *) echo "$context is expected to share Docker's images: if it does not, use --push" ;;
  esac
}

has_secret() { ! $dry_run && kubectl --namespace cast get secret "$1" >/dev/null 2>&1; }

# Makes a secret of NAME=VALUE lines on standard input. They go by a pipe: what stands on a command line,
# others on the machine can read.
make_secret() {
  if has_secret "$1"; then
    echo "secret $1 is there, and is kept"
  elif $dry_run; then
    printf '+ kubectl --namespace cast create secret generic %s --from-env-file=/dev/stdin\n' "$1"
    sed 's/=.*/=.../; s/^/    /'
  else
    kubectl --namespace cast create secret generic "$1" --from-env-file=/dev/stdin
  fi
}

random_hex() { if $dry_run; then echo ...; else openssl rand -hex "$1"; fi; }

# The URLs of a deployment whose servers are somebody else's.
given_urls() {
  local setting variable missing=()
  for setting in tickets counter bus store; do
    variable="CAST_${setting^^}_URL"
    [ -n "${!variable:-}" ] || missing+=("$variable")
  done
  if [ "${#missing[@]}" != 0 ] && ! $dry_run; then
    echo "the first time, the variables ${missing[*]} must say where the servers are" >&2
    exit 1
  fi
  printf '%s\n' "tickets-url=${CAST_TICKETS_URL:-}" "counter-url=${CAST_COUNTER_URL:-}" \
    "bus-url=${CAST_BUS_URL:-}" "store-url=${CAST_STORE_URL:-}"
}

# The password of PostgreSQL is in two secrets: they are made together or not at all.
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
    echo "secret cast-urls is there, and is kept"
  elif [ "$overlay" = production ]; then
    local urls
    urls=$(given_urls)
    make_secret cast-urls <<<"$urls"
  elif has_secret cast-postgres; then
    echo "there is the secret cast-postgres and not cast-urls, whose store-url holds the same" \
      "password: delete both and the volume of PostgreSQL, or make cast-urls again" >&2
    exit 1
  else
    own_urls
  fi
}

# The overlay, with the image that was built.
rendered() {
  kubectl kustomize "k8s/overlays/$overlay" |
    sed -E "s|^( *(- )?image: )([^ ]*/)?cast:[^ ]*$|\1$image|"
}

# Applies the overlay; what else is said selects some of it.
apply() {
  if $dry_run; then
    echo "+ kubectl kustomize k8s/overlays/$overlay, with the image $image | kubectl apply --filename - $*"
    return
  fi
  rendered | kubectl apply --filename - "$@"
}

# Waits until the tables and the topic are there. A Job that gave up says why, and is not waited for.
await_migration() {
  if $dry_run; then
    echo "+ kubectl --namespace cast get job migrate, until it is complete or failed, for 10m at most"
    return
  fi
  local ended
  for _ in $(seq 300); do
    # A server that is busy is asked again.
    ended=$(kubectl --namespace cast get job migrate \
      --output 'jsonpath={.status.conditions[?(@.status=="True")].type}') || ended=""
    case "$ended" in
      *Failed*) break ;;
      *Complete*) return ;;
    esac
    sleep 2
  done
  kubectl --namespace cast logs job/migrate --tail 20 >&2 || true
  echo "the migration ${ended:-did not end}: what it said is above" >&2
  return 1
}

# First who reads the log, and only then who writes into it: an older consumer may not understand what a
# newer API server writes.
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

# Votes once: the ticket that is good now may end before the vote is there, and an answer may be lost, so the
# same ballot is sent up to five times.
vote() {
  local id ticket answer document
  id=$(openssl rand -hex 16 | sed -E 's/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/\1-\2-4\3-8\4-\5/')
  # shellcheck disable=SC2016 # $t is GraphQL's
  document='mutation($t: String!, $i: ID) { vote(usernames: [\"alice\"], voteCount: [1], ticket: $t, ballotId: $i) { success message votes } }'
  for pause in 0 0.5 1 2 2; do
    sleep "$pause"
    ticket=$(graphql '{"query":"{ cas { ticket } }"}' | grep -o '[0-9a-f]\{64\}') || continue
    answer=$(graphql "{\"query\":\"$document\",\"variables\":{\"t\":\"$ticket\",\"i\":\"$id\"}}") || continue
    echo "$answer"
    case "$answer" in *'"success":true'*) return ;; esac
  done
  echo "the vote was not accepted" >&2
  return 1
}

cast_one_vote() {
  if $dry_run; then
    echo "+ kubectl --namespace cast port-forward service/api :8000 &"
    echo "+ a ticket, and a vote for alice with it, through that"
    return
  fi
  local log
  log=$(mktemp)
  kubectl --namespace cast port-forward service/api :8000 >"$log" &
  # shellcheck disable=SC2064 # both are known now, and no longer when the shell ends
  trap "kill $! 2>/dev/null || true; rm -f '$log'" EXIT
  for _ in $(seq 50); do
    port=$(sed -n 's/^Forwarding from 127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$log" | head -n 1)
    [ -z "$port" ] || break
    sleep 0.2
  done
  [ -n "$port" ] || { echo "no way to the service api" >&2; exit 1; }
  vote
}

if $push && [[ "$image" != */* ]]; then
  echo "--push needs --image REGISTRY/NAME:TAG: a name without a registry has nowhere to go" >&2
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
