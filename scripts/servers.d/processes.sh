# Starting, signalling and awaiting processes, each by its own id. Sourced, not run.

PATIENCE_S=60        # until a server is ready
PATIENCE_AGAIN_S=30  # until `up` makes a kind anew that does not come back on its data
PATIENCE_END_S=5     # between SIGTERM and SIGKILL
PATIENCE_LOCK_S=180  # for another call to end
PATIENCE_FETCH_S=300 # for a download

# Prints state and start time of a process. An id alone may be another's by now; with its start time it can't.
identity() { # identity PID
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # The second field, the name, may itself hold blanks and brackets.
    read -ra stat <<<"${stat##*) }"
    echo "${stat[0]} ${stat[19]}"
}

pid_of() { # pid_of NAME: fails where it doesn't run
    local pid start condition now
    read -r pid start 2>/dev/null <"$state/$1/pid" || return 1
    read -r condition now < <(identity "$pid") || return 1
    [ "$start" = "$now" ] && [ "$condition" != Z ] && echo "$pid"
}

is_frozen() { # is_frozen PID
    local condition
    read -r condition _ < <(identity "$1") && [ "$condition" = T ]
}

runs() { # runs NAME: and is not stopped
    local pid
    pid=$(pid_of "$1") && ! is_frozen "$pid"
}

listening() { # listening PORT
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

need_ports() { # need_ports NAME PORT…
    local name=$1 port kind=${1%-*}
    shift
    for port in "$@"; do
        ! listening "$port" || refuse 1 "port $port for $name is taken by another process: set WEIR_TEST_${kind^^}_PORT"
    done
}

# Starts a server that outlives this script: in a session of its own, and with none of the script's or its caller's
# files, or whoever waits for the end of a pipe would wait for the server.
launch() { # launch NAME COMMAND…
    local name=$1 start pid
    shift
    (
        cd "$state/$name"
        for file in "/proc/$BASHPID/fd/"*; do
            file=${file##*/}
            [ "$file" -le 2 ] || exec {file}>&-
        done
        exec setsid "$@"
    ) </dev/null >>"$state/$name/log" 2>&1 &
    pid=$!
    read -r _ start < <(identity "$pid") || start=ended
    echo "$pid $start" >"$state/$name/pid"
}

# Signals servers with their children, because a crash or a hang of the machine would not spare Postgres's backends.
# Returns from SIGKILL when they are gone, and their ports with them.
signal() { # signal SIGNAL NAME…
    local signal=$1 name pid children killed=()
    shift
    for name in "$@"; do
        pid=$(pid_of "$name") || continue
        # Once stopped, it can't have new children between the list and the signal.
        [ "$signal" = CONT ] || kill -STOP "$pid" 2>/dev/null || continue
        children=$(cat "/proc/$pid/task/"*/children 2>/dev/null) || true
        # shellcheck disable=SC2086 # a list of numbers
        kill -"$signal" "$pid" $children 2>/dev/null || true
        # shellcheck disable=SC2206
        [ "$signal" != KILL ] || killed+=("$pid" $children)
    done
    within "$PATIENCE_END_S" gone ${killed[@]+"${killed[@]}"} || refuse 1 "processes that don't end: ${killed[*]}"
}

gone() { # gone PID…
    local pid condition threads
    for pid in "$@"; do
        read -r condition _ < <(identity "$pid") || continue
        [ "$condition" = Z ] || return 1
        # Its first thread is a zombie while the others still have its ports.
        threads=("/proc/$pid/task/"*)
        [ "${#threads[@]}" -le 1 ] || return 1
    done
}

any_of() { # any_of NAME…: succeeds while one of them runs
    local name
    for name in "$@"; do
        pid_of "$name" >/dev/null && return
    done
    return 1
}

end_processes() { # end_processes NAME…: all at once
    local name pid signal
    signal CONT "$@"
    for name in "$@"; do
        pid=$(pid_of "$name") || continue
        signal=TERM
        # Postgres takes SIGTERM as 'when the last client has gone'.
        [ "${name%-*}" != postgres ] || signal=INT
        kill -"$signal" "$pid" 2>/dev/null || true
    done
    within "$PATIENCE_END_S" none_of "$@" || signal KILL "$@"
    within "$PATIENCE_END_S" none_of "$@" || refuse 1 "some of $* can't be ended"
}

none_of() {
    ! any_of "$@"
}

within() { # within SECONDS COMMAND…: tries until it succeeds
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

# Waits until every server is ready, and tells of each as it is. Ends the script with the log of one that isn't.
await() { # await SECONDS NAME…
    local seconds=$1 end=$((SECONDS + $1)) name waiting
    shift
    while [ "$#" -gt 0 ]; do
        waiting=()
        for name in "$@"; do
            pid_of "$name" >/dev/null || give_up "$name" "ended"
            if "${name%-*}_ready" "$name"; then
                awk -v name="$name" -v port="$(port_of "$name")" -v began="$began" -v now="$EPOCHREALTIME" \
                    'BEGIN { printf "%s ready on 127.0.0.1:%s after %.1f s\n", name, port, now - began }'
            else
                waiting+=("$name")
            fi
        done
        set -- ${waiting[@]+"${waiting[@]}"}
        [ "$#" -eq 0 ] && return
        [ "$SECONDS" -lt "$end" ] || give_up "$1" "was not ready within $seconds s"
        sleep 0.1
    done
}

give_up() { # give_up NAME WHY
    complain "$1 $2; the end of $state/$1/log:"
    tail -n 20 "$state/$1/log" >&2 || true
    exit 1
}

# Installs packages of servers without what they do on a machine that wants them as services: start, make a database.
install_idle() { # install_idle PACKAGE…
    local policy=/usr/sbin/policy-rc.d clusters=/etc/postgresql-common/createcluster.d/weir-servers.conf mine='' status=0
    [ "$(id -u)" -eq 0 ] || return 1
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && mine=$policy
    fi
    mkdir -p "${clusters%/*}" && echo 'create_main_cluster = off' >"$clusters"
    install_packages "$@" || status=1
    rm -f $mine "$clusters"
    rmdir "${clusters%/*}" 2>/dev/null || true # Not where it holds somebody's own settings.
    return "$status"
}
