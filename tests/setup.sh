# Sourced by tests/run and tests/crash: installs what the tests need and this machine lacks, and starts PostgreSQL on a
# free port with its own data folder.
# shellcheck shell=bash

readonly PULP_CLI=pulp-cli==0.41.1
readonly CACHE="$PWD/tests/.cache"
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-auto}" PIP_DISABLE_PIP_VERSION_CHECK=1
# A build that starts from nothing gains nothing from incremental compilation.
if [ "${CI:-}" = true ]; then export CARGO_INCREMENTAL=0; fi

say() { printf '\n== %s (%ds)\n' "$*" "$SECONDS"; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

install_packages() {
    local missing=()
    command -v docker-registry >/dev/null || missing+=(docker-registry)
    command -v skopeo >/dev/null || missing+=(skopeo)
    command -v podman >/dev/null || missing+=(podman)
    command -v buildah >/dev/null || missing+=(buildah)
    # For tests/bench/run alone.
    command -v wrk >/dev/null || missing+=(wrk)
    command -v psql >/dev/null || missing+=(postgresql-client)
    [ -n "$(postgres_programs)" ] || missing+=(postgresql)
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    command -v python3 >/dev/null || missing+=(python3 python3-venv)
    [ ${#missing[@]} = 0 ] || install_from_debian "${missing[@]}"
}

install_from_debian() {
    say "installing from Debian: $*"
    as_root apt-get update -qq
    # The tests start a PostgreSQL of their own: the package need not start one.
    as_root mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

install_pulp_cli() {
    local venv="$CACHE/venv" stamp="$CACHE/venv/.installed"
    if [ "$(cat "$stamp" 2>/dev/null)" != "$PULP_CLI" ]; then
        say "installing from PyPI: $PULP_CLI"
        rm -rf "$venv"
        mkdir -p "$CACHE"
        python3 -m venv "$venv" 2>/dev/null || { install_from_debian python3-venv && python3 -m venv "$venv"; }
        "$venv/bin/pip" install --quiet "$PULP_CLI"
        echo "$PULP_CLI" >"$stamp"
    fi
    export ENTREPOT_TEST_PULP="$venv/bin/pulp"
}

# The folder of the newest PostgreSQL's server programs, or nothing.
postgres_programs() { find /usr/lib/postgresql/*/bin -name initdb 2>/dev/null | sort -V | tail -1 | xargs -r dirname; }

# PostgreSQL refuses to run as root.
as_postgres() { if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi; }

start_postgres() {
    local programs port
    programs=$(postgres_programs)
    POSTGRES_FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/entrepot-postgres.XXXXXX")
    if [ "$(id -u)" = 0 ]; then chown postgres: "$POSTGRES_FOLDER"; fi
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    say "starting PostgreSQL on port $port"
    as_postgres "$programs/initdb" -D "$POSTGRES_FOLDER/data" -U entrepot -A trust -E UTF8 --locale=C.UTF-8 \
        --no-sync >/dev/null
    # pg_ctl remembers the server's process id in the data folder, and stops that one.
    as_postgres "$programs/pg_ctl" -D "$POSTGRES_FOLDER/data" -l "$POSTGRES_FOLDER/log" -w start -o "-p $port \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories=$POSTGRES_FOLDER -c max_connections=300 \
        -c fsync=off -c synchronous_commit=off -c full_page_writes=off" >/dev/null
    trap stop_postgres EXIT
    export ENTREPOT_TEST_POSTGRES_URL="postgres://entrepot@127.0.0.1:$port/postgres"
}

stop_postgres() {
    as_postgres "$(postgres_programs)/pg_ctl" -D "$POSTGRES_FOLDER/data" -m immediate -w stop >/dev/null || true
    rm -rf "$POSTGRES_FOLDER"
}

# The test runner, as an array: nextest where it is installed.
choose_runner() {
    RUNNER=(cargo test --workspace)
    if cargo nextest --version >/dev/null 2>&1; then RUNNER=(cargo nextest run --workspace); fi
}
