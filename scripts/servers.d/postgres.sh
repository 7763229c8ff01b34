# Postgres: a primary and a synchronous standby. Sourced, not run.

postgres_bin() {
    local newest
    newest=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)
    [ -x "$newest" ] || newest=$(command -v postgres) || return 1
    dirname "$(realpath "$newest")"
}

postgres_install() {
    if ! postgres_bin >/dev/null; then
        install_idle postgresql || { echo "apt-get install postgresql"; return 2; }
    fi
    [ "$(id -u)" -ne 0 ] || id postgres >/dev/null 2>&1 || { echo "root can't run Postgres, and there is no user 'postgres'"; return 2; }
}

postgres_address() { # postgres_address [NAME]: of the primary, if none is named
    echo "postgres://weir@127.0.0.1:$(port_of "${1:-$(postgres_primary)}")/weir"
}

postgres_primary() {
    cat "$state/postgres.primary" 2>/dev/null || echo postgres-1
}

postgres_standby() {
    if [ "$(postgres_primary)" = postgres-1 ]; then echo postgres-2; else echo postgres-1; fi
}

# Prints the server that should be the standby and has no standby's data: it is new, or another was promoted over it.
postgres_deposed() {
    local standby
    standby=$(postgres_standby)
    [ -e "$state/$standby/data/standby.signal" ] || echo "$standby"
}

# Postgres refuses to be run by root.
postgres_user=()
[ "$(id -u)" -ne 0 ] || postgres_user=(setpriv --reuid postgres --regid postgres --clear-groups --)

query() { # query NAME STATEMENT…
    local name=$1 statement arguments=()
    shift
    for statement in "$@"; do arguments+=(-c "$statement"); done
    PGCONNECT_TIMEOUT=2 timeout "${query_seconds:-4}" "$(postgres_bin)/psql" -XAtq -v ON_ERROR_STOP=1 \
        -h 127.0.0.1 -p "$(port_of "$name")" -U postgres -d postgres "${arguments[@]}" 2>>"$state/$name/queries" </dev/null
}

postgres_create() {
    local bin
    rm -f "$state/postgres.primary"
    bin=$(postgres_bin)
    postgres_own postgres-1
    "${postgres_user[@]}" "$bin/initdb" -D "$state/postgres-1/data" -U postgres -A trust -E UTF8 --locale=C --no-sync \
        >>"$state/postgres-1/log" 2>&1 </dev/null || give_up postgres-1 "could not be made"
    cat >>"$state/postgres-1/data/postgresql.conf" <<'CONF'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
wal_level = replica
wal_retrieve_retry_interval = 200ms
CONF
    postgres_launch postgres-1
    within "$PATIENCE_S" query postgres-1 "SELECT 1" >/dev/null || give_up postgres-1 "does not answer"
    query postgres-1 "CREATE ROLE weir LOGIN CREATEDB" "CREATE DATABASE weir OWNER weir" || give_up postgres-1 "refused the role"
    postgres_launch postgres-2
}

postgres_own() { # postgres_own NAME: a folder that its user can write to
    [ "$(id -u)" -ne 0 ] || chown postgres "$state/$1"
    "${postgres_user[@]}" test -w "$state/$1" || refuse 1 "the user postgres can't reach $state: choose another with WEIR_TEST_SERVERS"
}

postgres_launch() { # postgres_launch NAME
    local port
    port=$(port_of "$1")
    need_ports "$1" "$port"
    if [ "$1" = "$(postgres_deposed)" ]; then
        postgres_copy "$1"
    else
        # After a crash the lock file stands for a process that may stay a zombie for long, where nobody reaps it.
        # Postgres would take that for a rival; who really still uses the data is asked here.
        within "$PATIENCE_END_S" postgres_deserted "$1" || refuse 1 "the data of $1 are still in use"
        rm -f "$state/$1/data/postmaster.pid"
    fi
    launch "$1" "${postgres_user[@]}" "$(postgres_bin)/postgres" -D "$state/$1/data" -c port="$port"
}

# Succeeds where no process works in the data folder, as all of Postgres's do.
postgres_deserted() { # postgres_deserted NAME
    local folder
    for folder in /proc/[0-9]*/cwd; do
        ! [ "$folder" -ef "$state/$1/data" ] || return 1
    done
}

# Makes the standby's data from the primary's: at first, and for a primary that lost its place, whose data may have
# gone another way since.
postgres_copy() { # postgres_copy NAME
    local primary
    primary=$(postgres_primary)
    runs "$primary" || refuse 1 "$1 can be made only from a running $primary"
    within "$PATIENCE_S" query "$primary" "SELECT 1" >/dev/null || give_up "$primary" "does not answer"
    rm -rf "$state/$1/data"
    postgres_own "$1"
    # The primary would wait for its standby during the copy, and the copy would inherit that: a promoted standby
    # must not wait for itself.
    query "$primary" "ALTER SYSTEM RESET synchronous_standby_names" "SELECT pg_reload_conf()" \
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'r1'" >/dev/null \
        || give_up "$primary" "refused a standby"
    "${postgres_user[@]}" timeout "$PATIENCE_S" "$(postgres_bin)/pg_basebackup" -D "$state/$1/data" -R -X stream -c fast -C -S r1 \
        --no-sync -d "host=127.0.0.1 port=$(port_of "$primary") user=postgres application_name=r1" \
        >>"$state/$1/log" 2>&1 </dev/null || give_up "$1" "could not copy $primary"
    query "$primary" "ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (r1)'" "SELECT pg_reload_conf()" >/dev/null \
        || give_up "$primary" "refused a standby"
}

# Ready: a standby streams, and a primary has it in sync; each counts the other only while that runs.
postgres_ready() { # postgres_ready NAME
    local primary
    primary=$(postgres_primary)
    if [ "$1" = "$primary" ]; then
        [ "$(query "$1" "SELECT pg_is_in_recovery()")" = f ] || return 1
        ! runs "$(postgres_standby)" \
            || [ "$(query "$1" "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'")" = sync ]
    else
        [ "$(query "$1" "SELECT pg_is_in_recovery()")" = t ] || return 1
        ! runs "$primary" || [ "$(query "$1" "SELECT status FROM pg_stat_wal_receiver")" = streaming ]
    fi
}

postgres_promote() {
    local standby
    standby=$(postgres_standby)
    runs "$standby" || refuse 1 "$standby, the standby, is not running"
    open_state
    query_seconds=$PATIENCE_S query "$standby" "SELECT pg_promote(true, $PATIENCE_S)" >/dev/null \
        || give_up "$standby" "was not promoted"
    echo "$standby" >"$state/postgres.primary"
    echo "$standby is the primary on 127.0.0.1:$(port_of "$standby")"
}
