# shellcheck shell=bash
# What the other scripts share: find Python, install what is missing and nothing else. Sourced, never run.
# A second run finds the stamps and touches neither the network nor the package manager.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=$ROOT/.venv
# shellcheck disable=SC2034  # read by scripts/test
PYVOIP_VENV=$VENV/peers/pyvoip
LLAMA_VENV=$VENV/peers/llama
SIPJS=$VENV/peers/sipjs
ASTERISK=$VENV/peers/asterisk

say() { printf -- '-- %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root or sudo: $*"
    fi
}

apt_install() {
    command -v apt-get >/dev/null || die "please install: $* (no apt-get here)"
    say "installing with apt: $*"
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@")
    # A fresh machine has no package lists, an old one has stale ones: either way one update and a second try.
    if ! as_root "${install[@]}" >/dev/null 2>&1 </dev/null; then
        as_root apt-get update -qq </dev/null
        as_root "${install[@]}" >/dev/null </dev/null || die "apt could not install: $*"
    fi
}

has_library() { PATH=$PATH:/sbin:/usr/sbin ldconfig -p | grep -qF "$1"; }

# Arguments are modules of Kamailio; each is in a package of its name.
ensure_kamailio_modules() {
    local module missing=()
    for module in "$@"; do
        compgen -G "/usr/lib/*/kamailio/modules/$module.so" >/dev/null || missing+=("kamailio-$module-modules")
    done
    if [ ${#missing[@]} -gt 0 ]; then apt_install "${missing[@]}"; fi
}

# Arguments are command=package pairs; one apt call for all that is missing.
ensure_commands() {
    local pair missing=()
    for pair in "$@"; do
        PATH=$PATH:/sbin:/usr/sbin command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    if ! has_library libopus.so.0; then missing+=(libopus0); fi
    if [ ${#missing[@]} -gt 0 ]; then apt_install "${missing[@]}"; fi
}

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
can_make_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# Prints the first Python of at least 3.11; $PYTHON overrides the search.
find_python() {
    local name
    for name in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null && is_new_enough "$name"; then
            command -v "$name"
            return
        fi
    done
    return 1
}

ensure_venv() {
    if [ -x "$VENV/bin/python" ] && is_new_enough "$VENV/bin/python"; then return; fi
    local python
    if ! python=$(find_python); then
        apt_install python3.11 python3.11-venv
        python=$(find_python) || die "no Python 3.11 or newer was found; set PYTHON to one"
    fi
    if ! can_make_venv "$python"; then
        apt_install "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    fi
    say "creating .venv with $("$python" --version)"
    "$python" -m venv --clear "$VENV"
}

pip_install() { # PYTHON ARGUMENT...
    local python=$1
    shift
    "$python" -m pip install --quiet --disable-pip-version-check --no-input "$@" </dev/null
}

# Runs the rest of its arguments unless it did so before with the same files and the same Python.
once() { # STAMP_NAME "FILE..." COMMAND...
    local stamp=$VENV/.stamp-$1 files key
    read -ra files <<<"$2"
    shift 2
    key=$(cd "$ROOT" && { "$VENV/bin/python" --version; pwd; cat "${files[@]}"; } | sha256sum)
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ]; then return; fi
    "$@"
    printf '%s\n' "$key" >"$stamp"
}

install_locked() { # LOCK
    say "installing Python packages from $1"
    pip_install "$VENV/bin/python" --require-hashes -r "$ROOT/$1"
    # Only the model file of silero-vad is used; its dependency torch must not come along.
    pip_install "$VENV/bin/python" --no-deps --require-hashes -r "$ROOT/requirements-nodeps.lock"
    pip_install "$VENV/bin/python" --no-deps --no-build-isolation --editable "$ROOT"
}

# pyVoIP is GPL-3 and never shares an interpreter with voicegw.
install_pyvoip() {
    say "installing pyVoIP into an environment of its own"
    "$VENV/bin/python" -m venv --clear "$PYVOIP_VENV"
    pip_install "$PYVOIP_VENV/bin/python" --require-hashes -r "$ROOT/tests/interop/requirements-pyvoip.lock"
}

install_llama() {
    say "installing llama.cpp's server into an environment of its own"
    "$VENV/bin/python" -m venv --clear "$LLAMA_VENV"
    pip_install "$LLAMA_VENV/bin/python" --require-hashes -r "$ROOT/tests/interop/requirements-llama.lock"
}

install_sipjs() {
    say "installing SIP.js with npm"
    mkdir -p "$SIPJS"
    cp "$ROOT/tests/interop/sipjs/package.json" "$ROOT/tests/interop/sipjs/package-lock.json" "$SIPJS"
    (cd "$SIPJS" && npm ci --silent --ignore-scripts --no-audit --no-fund </dev/null) || die "npm could not install SIP.js"
}

install_asterisk() {
    say "unpacking Asterisk into a folder of its own"
    "$ROOT/scripts/asterisk-peer" "$ASTERISK" >/dev/null || die "there is no Asterisk for the tests"
}

setup_runtime() {
    ensure_commands flite=flite espeak-ng=espeak-ng
    ensure_venv
    once runtime "requirements.lock requirements-nodeps.lock pyproject.toml" install_locked requirements.lock
}

# The programs that tests talk to.
install_peers() {
    ensure_commands flite=flite espeak-ng=espeak-ng sipp=sip-tester baresip=baresip-core kamailio=kamailio \
        rtpengine=rtpengine-daemon svwar=sipvicious sipsak=sipsak linphonec=linphone-cli ip=iproute2 psql=postgresql chromium=chromium \
        node=nodejs npm=npm redis-server=redis-server systemd-analyze=systemd promtool=prometheus tcpdump=tcpdump sngrep=sngrep \
        openssl=openssl
    ensure_kamailio_modules outbound tls websocket
    if ! has_library libspandsp.so.2; then apt_install libspandsp2; fi
}

setup_tests() {
    ensure_venv
    # apt and pip beside one another: each has one core's work and waits for somebody's server in between.
    install_peers &
    local peers=$!
    trap wait EXIT # a failure here leaves no apt behind that still installs
    once dev "requirements-dev.lock requirements-nodeps.lock pyproject.toml" install_locked requirements-dev.lock
    trap - EXIT
    wait "$peers"
}

# What only interop tests call, in environments of its own; after setup_tests.
setup_foreign() {
    once pyvoip "tests/interop/requirements-pyvoip.lock" install_pyvoip
    once llama "tests/interop/requirements-llama.lock" install_llama
    once sipjs "tests/interop/sipjs/package-lock.json" install_sipjs
    once asterisk "scripts/asterisk-peer" install_asterisk
}
