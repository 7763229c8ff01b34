# Stripe's public mock of its API: it knows which requests Stripe takes, and keeps nothing. Sourced, not run.

STRIPE_MOCK_VERSION=v0.203.0

stripe_mock_program() {
    echo "${XDG_CACHE_HOME:-$HOME/.cache}/weir/stripe-mock-$STRIPE_MOCK_VERSION/stripe-mock"
}

stripe_mock_install() {
    local program fresh
    program=$(stripe_mock_program)
    [ ! -x "$program" ] || return 0
    # Debian's own is too old for it.
    command -v go >/dev/null || { echo "Go is missing: install it from https://go.dev/dl"; return 2; }
    fresh=${program%/*}.$$
    mkdir -p "$fresh"
    if GOBIN=$fresh timeout "$PATIENCE_FETCH_S" go install "github.com/stripe/stripe-mock@$STRIPE_MOCK_VERSION" \
        </dev/null >"$fresh/log" 2>&1; then
        # In one step, so that no folder of that name is ever half full.
        rm -f "$fresh/log"
        mv -T "$fresh" "${program%/*}" 2>/dev/null || rm -rf "$fresh"
    else
        echo "Go could not install stripe-mock $STRIPE_MOCK_VERSION: $(tail -n 1 "$fresh/log")"
        rm -rf "$fresh"
        return 2
    fi
}

stripe_mock_address() {
    echo "http://127.0.0.1:$(port_of stripe_mock-1)"
}

stripe_mock_create() {
    stripe_mock_launch stripe_mock-1
}

stripe_mock_launch() { # stripe_mock_launch NAME
    need_ports "$1" "$(port_of "$1")"
    launch "$1" "$(stripe_mock_program)" -http-addr "127.0.0.1:$(port_of "$1")"
}

# Ready: it listens, which it does after it has read its description of the API.
stripe_mock_ready() { # stripe_mock_ready NAME
    listening "$(port_of "$1")"
}
