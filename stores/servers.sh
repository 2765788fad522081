# What the scripts that start servers have in common: installing once, free ports, servers that end with the shell.
# Sourced, after `stores` was set to this folder.

target="${CARGO_TARGET_DIR:-$stores/../target}/stores"
servers="$target/servers"

# Names what is missing, a package each; installs it where that can be done.
need() {
    [ "$#" -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
        echo "missing: $*; install them, or run this as root where there is apt-get" >&2
        exit 2
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@"
}

# Whole or not at all: what an interrupted install left is begun anew.
install() {
    local place="$servers/$1"
    shift
    [ ! -e "$place/installed" ] || return 0
    rm -rf "$place"
    mkdir -p "$place"
    (cd "$place" && "$@") > "$place.log" 2>&1 || { tail -n 20 "$place.log" >&2; return 1; }
    touch "$place/installed"
}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/headwater-stores.XXXXXX")
started=() command=
end() {
    local pid tries alive
    # The command has a group of its own, and what it started goes with it.
    [ -z "$command" ] || kill -- "-$command" 2> /dev/null || true
    for pid in "${started[@]}"; do kill "$pid" 2> /dev/null || true; done
    # A server that waits for its connections to end is not waited for.
    for ((tries = 0; tries < 30; tries++)); do
        alive=
        for pid in "${started[@]}"; do ! kill -0 "$pid" 2> /dev/null || alive=yes; done
        [ -n "$alive" ] || break
        sleep 0.1
    done
    for pid in "${started[@]}"; do kill -KILL "$pid" 2> /dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2> /dev/null || true; done
    rm -rf "$scratch"
}
trap end EXIT
trap 'exit 130' INT TERM HUP

# A port that nobody listens on, below those that the system gives to whoever connects.
free_port() {
    local port
    while :; do
        port=$((RANDOM % 6000 + 20000))
        (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null || { echo "$port"; return; }
    done
}

# Starts a server that ends with this shell, however that ends, and waits until it listens.
serve() {
    local name=$1 port=$2 tries dies=()
    shift 2
    ! command -v setpriv > /dev/null || dies=(setpriv --pdeathsig TERM)
    "${dies[@]}" "$@" >> "$scratch/$name.log" 2>&1 < /dev/null &
    started+=($!)
    for ((tries = 0; tries < 300; tries++)); do
        ! (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null || return 0
        sleep 0.1
    done
    echo "$name does not listen:" >&2
    tail -n 20 "$scratch/$name.log" >&2
    return 1
}

# Runs the command with what was exported, and ends with its status.
run_and_exit() {
    local status=0 log
    setsid "$@" &
    command=$!
    wait "$command" || status=$?
    if [ "$status" -ne 0 ]; then
        for log in "$scratch"/*.log; do
            [ -s "$log" ] || continue
            echo "-- the end of $(basename "$log"):" >&2
            tail -n 15 "$log" >&2
        done
    fi
    exit "$status"
}

# Says what to set, and waits until it is interrupted.
say_and_wait() {
    local name
    for name in "${!HEADWATER_@}"; do echo "export $name='${!name}'"; done
    sleep infinity &
    started+=($!)
    wait $!
}
