# What the scripts share: finding and installing what a suite needs. Sourced, not run.

say() {
    printf '\n== %s\n' "$1"
}

# Installs Debian packages where that is possible without asking anybody.
install_packages() {
    command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" -eq 0 ] || return 1
    local log
    log=$(mktemp)
    if { apt-get install -y --no-install-recommends "$@" || { apt-get update && apt-get install -y --no-install-recommends "$@"; }; } \
        >"$log" 2>&1 </dev/null; then
        rm -f "$log"
    else
        tail -n 5 "$log" >&2
        rm -f "$log"
        return 1
    fi
}

# Ends the script with what to do where the Rust toolchain or a C compiler is missing or too old.
need_rust() {
    local wanted have
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    if ! command -v cargo >/dev/null 2>&1; then
        echo "cargo is missing: install Rust $wanted or newer from https://rustup.rs" >&2
        exit 1
    fi
    have=$(cargo --version | cut -d ' ' -f 2)
    if [ "$(printf '%s\n%s\n' "$wanted" "$have" | sort -V | head -n 1)" != "$wanted" ]; then
        echo "Rust $have is too old: Weir needs $wanted or newer (rustup update stable)" >&2
        exit 1
    fi
    if ! command -v cc >/dev/null 2>&1 && ! install_packages build-essential; then
        echo "a C compiler is missing: apt-get install build-essential" >&2
        exit 1
    fi
}

# Prints why Node can't be used and succeeds, or fails when it can.
node_missing() {
    local major
    if ! command -v node >/dev/null 2>&1; then
        install_packages nodejs npm || { echo "node is missing: apt-get install nodejs npm"; return 0; }
    fi
    major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
    if [ "$major" -lt 20 ]; then
        echo "node $major is too old: version 20 or newer is needed"
        return 0
    fi
    return 1
}

chromium_path() {
    command -v chromium || command -v chromium-browser || command -v google-chrome
}

# Prints why no browser can be driven and succeeds, or fails when one can.
browser_missing() {
    if ! chromium_path >/dev/null; then
        install_packages chromium || { echo "Chromium is missing: apt-get install chromium"; return 0; }
    fi
    if ! command -v npm >/dev/null 2>&1; then
        install_packages npm || { echo "npm is missing: apt-get install npm"; return 0; }
    fi
    if [ ! -d tests/browser/node_modules/playwright-core ]; then
        (cd tests/browser && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-progress >&2) \
            || { echo "playwright-core could not be installed: run 'npm ci' in tests/browser"; return 0; }
    fi
    return 1
}
