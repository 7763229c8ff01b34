# What scripts/servers keeps between two calls: one folder, with a folder for each server. Sourced, not run.
#
# $state/KIND.port   the first port of this kind: fixed when the kind is made, whatever the environment says later
# $state/KIND.whole  the kind was ready once: its data can be started again
# $state/KIND.again  why it could not
# $state/NAME/pid    process id and start time
# $state/NAME/log    what the server says

KINDS=(kafka redis postgres elasticsearch cassandra debezium stripe_mock smtp)
declare -A SIZES=([kafka]=3 [redis]=6 [postgres]=2 [elasticsearch]=1 [cassandra]=1 [debezium]=1 [stripe_mock]=1 [smtp]=1)
declare -A FIRST_PORTS=(
    [kafka]=${WEIR_TEST_KAFKA_PORT:-19092} [redis]=${WEIR_TEST_REDIS_PORT:-17001} [postgres]=${WEIR_TEST_POSTGRES_PORT:-15432}
    [elasticsearch]=${WEIR_TEST_ELASTICSEARCH_PORT:-19200}
    [cassandra]=${WEIR_TEST_CASSANDRA_PORT:-19042} [debezium]=${WEIR_TEST_DEBEZIUM_PORT:-18083}
    [stripe_mock]=${WEIR_TEST_STRIPE_MOCK_PORT:-12111} [smtp]=${WEIR_TEST_SMTP_PORT:-12525}
)
state=$(realpath -m "${WEIR_TEST_SERVERS:-${TMPDIR:-/tmp}/weir-servers-$(id -u)}")

complain() { # complain MESSAGE
    echo "servers: $1" >&2
}

refuse() { # refuse STATUS MESSAGE
    complain "$2"
    exit "$1"
}

names_of() { # names_of KIND
    local number
    for ((number = 1; number <= SIZES[$1]; number++)); do echo "$1-$number"; done
}

port_of() { # port_of NAME
    local kind=${1%-*} first
    first=$(cat "$state/$kind.port" 2>/dev/null) || first=${FIRST_PORTS[$kind]}
    echo $((first + ${1##*-} - 1))
}

# Succeeds where there is a folder of ours. The mark keeps `down` from removing somebody's own folder.
find_state() {
    [ -e "$state" ] || return 1
    [ -O "$state" ] && [ -e "$state/weir-servers" ] && return
    [ -d "$state" ] && [ -O "$state" ] && [ -z "$(ls -A "$state")" ] && return 1
    refuse 1 "$state is not a folder of this script: choose another with WEIR_TEST_SERVERS"
}

# Makes the folder and keeps every other call out that would change something, until this one ends.
open_state() {
    if ! find_state; then
        mkdir -p "$state" && chmod 711 "$state" # 711: Postgres, run by its own user, has to pass through.
        touch "$state/weir-servers"
    fi
    while :; do
        exec 9>>"$state/weir-servers"
        flock -w "$PATIENCE_LOCK_S" 9 || refuse 1 "another call of this script holds $state"
        # A `down` that we waited for has removed the file that we now hold.
        [ "$state/weir-servers" -ef /dev/fd/9 ] && return
        mkdir -p "$state" && chmod 711 "$state"
    done
}

forget() { # forget KIND
    rm -rf "${state:?}/$1.port" "$state/$1.whole" "$state/$1.again" "$state/$1"-[0-9]*
}

prepare() { # prepare KIND NAME…
    local kind=$1 name
    shift
    echo "${FIRST_PORTS[$kind]}" >"$state/$kind.port"
    for name in "$@"; do mkdir -m 711 "$state/$name"; done
}
