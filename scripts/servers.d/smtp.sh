# An SMTP server that keeps what it gets: aiosmtpd. Sourced, not run.

AIOSMTPD_VERSION=1.4.6
SMTP_HOME=$here/servers.d/smtp

smtp_packages() {
    echo "${XDG_CACHE_HOME:-$HOME/.cache}/weir/aiosmtpd-$AIOSMTPD_VERSION"
}

smtp_install() {
    local packages fresh
    packages=$(smtp_packages)
    [ ! -d "$packages" ] || return 0
    if ! python3 -m pip --version >/dev/null 2>&1; then
        install_packages python3 python3-pip || { echo "pip is missing: apt-get install python3-pip"; return 2; }
    fi
    fresh=$packages.$$
    mkdir -p "$fresh"
    if timeout "$PATIENCE_FETCH_S" python3 -m pip install --quiet --disable-pip-version-check --no-input --target "$fresh" \
        "aiosmtpd==$AIOSMTPD_VERSION" </dev/null >"$fresh/log" 2>&1; then
        # In one step, so that no folder of that name is ever half full.
        rm -f "$fresh/log"
        mv -T "$fresh" "$packages" 2>/dev/null || rm -rf "$fresh"
    else
        echo "pip could not install aiosmtpd $AIOSMTPD_VERSION: $(tail -n 1 "$fresh/log")"
        rm -rf "$fresh"
        return 2
    fi
}

smtp_address() {
    echo "127.0.0.1:$(port_of smtp-1)"
}

# The Maildir with what was sent.
smtp_mail() {
    echo "$state/smtp-1/mail"
}

smtp_create() {
    smtp_launch smtp-1
}

smtp_launch() { # smtp_launch NAME
    need_ports "$1" "$(port_of "$1")"
    launch "$1" env PYTHONPATH="$(smtp_packages):$SMTP_HOME" PYTHONDONTWRITEBYTECODE=1 \
        python3 -m aiosmtpd --nosetuid --listen "127.0.0.1:$(port_of "$1")" --class weir_sink.Sink "$(smtp_mail)"
}

# Ready: it listens.
smtp_ready() { # smtp_ready NAME
    listening "$(port_of "$1")"
}
