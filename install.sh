#!/usr/bin/env bash
# Installs pilogger on Raspberry Pi OS or Debian, upgrades it, or removes it.
#
#   curl -fsSL <url>/install.sh | sudo bash              install, or upgrade
#   curl -fsSL <url>/install.sh | sudo bash -s -- --hub  with options: see below
#
# Each run makes a new version beside the old one in /opt/pilogger/versions. That version's own
# `pilogger.versions` tries it with the present config and a copy of the store, and switches; if
# it does not run well, or this is killed, the old one is back within a minute or two.
# Everything is in `main`, called on the last line, so that a download that breaks off runs
# nothing. It asks only before it deletes readings.

usage() {
    cat <<'END'
Usage: install.sh [OPTION]...
  --version X          this version of pilogger, not the newest
  --source FILE|URL    a wheel, sdist or checkout, not the package index
  --hub                the hub too; --hub-only: the hub without the logger
  --enable i2c,spi,w1  switch these buses on
  --no-start           install, but start nothing
  --prefix DIR         into the system below DIR, whose programs must run here
  --uninstall          remove pilogger; readings and config stay
  --purge              with --uninstall: remove readings, config and users too
  --yes                do not ask
  --help               this
END
}

settings() {
    OPT=/opt/pilogger ETC=/etc/pilogger UNITS=/etc/systemd/system COMMAND=/usr/local/bin/pilogger
    CONFIG=$ETC/pilogger.yaml
    STATES=(/var/lib/pilogger /var/lib/pilogger-hub)
    STEPS=("Look at this machine" "Debian packages" "Users and buses" "The new version"
        "Configuration" "Try the new version" "Switch and start" "Tidy up")
    at=0 # the step in work
    want="" source="" prefix="" buses="" start=switch purge="" yes="" uninstall="" hub="" logger=yes
    new="" old=""
    services=()
    live=$([ ! -d /run/systemd/system ] || echo yes) # systemd runs here
    umask 022
    export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PIP_DISABLE_PIP_VERSION_CHECK=1
    export PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
}

say() { printf '%s\n' "$*"; }
die() { printf 'pilogger: %s\n' "$*" >&2; exit 1; }
step() { at=$((at + 1)); printf '\n[%d/%d] %s\n' "$at" "${#STEPS[@]}" "${STEPS[at - 1]}"; }

options() {
    while [ $# -gt 0 ]; do
        case $1 in
            --version) value "$@"; want=$2; shift ;;
            --source) value "$@"; source=$2; shift ;;
            --prefix) value "$@"; prefix=$2; shift ;;
            --enable) value "$@"; buses=$2; shift ;;
            --hub) hub=yes ;;
            --hub-only) hub=yes logger="" ;;
            --no-start) start=point ;;
            --uninstall) uninstall=yes ;;
            --purge) purge=yes ;;
            --yes) yes=yes ;;
            --help | -h) usage; exit 0 ;;
            *) wrong "there is no option $1" ;;
        esac
        shift
    done
    [[ $buses =~ ^((i2c|spi|w1)(,|$))*$ ]] || wrong "--enable takes i2c, spi and w1, not $buses"
    [ -z "$purge" ] || [ -n "$uninstall" ] || wrong "--purge goes with --uninstall"
    [ -z "$want" ] || [ -z "$source" ] || wrong "--version and --source exclude each other"
    [ -z "$prefix" ] || [ -z "$uninstall" ] || wrong "--prefix and --uninstall exclude each other"
    if [ -e "$source" ]; then source=$(realpath "$source"); fi
    if [ -n "$prefix" ]; then prefix=$(realpath "$prefix") || wrong "there is no folder $prefix"; fi
}

value() { [ -n "${2:-}" ] || wrong "$1 needs a value"; }
wrong() { printf 'install.sh: %s\n\n' "$*" >&2; usage >&2; exit 2; }

# -- 1 to 3: the machine ---------------------------------------------------------------------------

look() {
    type apt-get systemctl >/dev/null 2>&1 ||
        die "this is for Raspberry Pi OS and Debian with systemd: there is no apt-get or systemctl"
    [ -n "$live" ] || start=point
    no_links
    folder "$OPT"
    lock
    if [ -e "$OPT/undo" ]; then
        say "An upgrade was broken off: first back to the version before."
        sh "$OPT/undo"
    fi
    # What is there is upgraded, without being named again.
    if [ -z "$hub" ] && [ -e "$UNITS/pilogger-hub.service" ]; then hub=yes logger=""; fi
    if [ -z "$hub" ] || [ -e "$UNITS/pilogger.service" ]; then logger=yes; fi
    services=(${hub:+pilogger-hub} ${logger:+pilogger})
    if [ -e "$OPT/current" ]; then old=$(readlink -f "$OPT/current"); fi
    say "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release), $(uname -m)${old:+, with pilogger}"
}

# Held to the end, however that comes; pilogger-undo.service waits for it.
lock() {
    exec 9<"$OPT"
    flock -n 9 || die "another install.sh is at work: wait for its end"
}

# What root writes must lie where it seems to lie: a link in its place was put there to mislead.
no_links() {
    local path
    for path in "$OPT" "$OPT/versions" "$ETC" "$CONFIG" "$ETC/secrets.yaml" "$ETC/hub.env" \
        "$UNITS"/pilogger{,-hub,-undo}.service; do
        [ ! -L "$path" ] || die "$path is a link, and this does not write through links: remove it"
    done
    for path in "$OPT" "$OPT/versions" "$ETC"; do
        [ ! -e "$path" ] || [ "$(find "$path" -maxdepth 0 -type d -user root ! -perm /022)" ] ||
            die "$path must be a folder of root that no one else may write"
    done
    [ ! -e "$COMMAND" ] || [ "$(readlink "$COMMAND")" = "$OPT/current/bin/pilogger" ] ||
        die "$COMMAND is another program: move it away"
}

folder() { [ -d "$1" ] || install -d -m 755 -o root -g root "$1"; }

packages() {
    apt python3 python3-venv ca-certificates passwd
    if [ -e /dev/gpiochip0 ] || [ -e /etc/rpi-issue ]; then
        apt python3-lgpio || say "Without python3-lgpio GPIO pins do not work; other sensors do."
    fi
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "pilogger needs Python 3.11; this system has $(python3 --version)"
}

# Installs those that are not there, and says which.
apt() {
    local package missing=()
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) == *" ok installed" ]] ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "To be installed by apt: ${missing[*]}"
    apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}"
}

users() {
    local group name
    for name in "${services[@]}"; do
        id "$name" >/dev/null 2>&1 ||
            useradd --system --user-group --no-create-home --home-dir "/var/lib/$name" \
                --shell /usr/sbin/nologin "$name"
    done
    for group in ${logger:+gpio i2c spi dialout}; do
        if getent group "$group" >/dev/null; then usermod -aG "$group" pilogger; fi
    done
    if [ -n "$logger" ]; then id pilogger; fi
    for name in ${buses//,/ }; do switch_on "$name"; done
}

switch_on() {
    local -A line=([i2c]=dtparam=i2c_arm=on [spi]=dtparam=spi=on [w1]=dtoverlay=w1-gpio)
    if command -v raspi-config >/dev/null; then
        raspi-config nonint "do_${1/w1/onewire}" 0
        say "$1 is on, at the latest after the next start of the machine."
    else
        say "There is no raspi-config to switch $1 on: put the line ${line[$1]} into" \
            "/boot/firmware/config.txt and restart the machine."
    fi
}

# -- 4 to 7: a new version -------------------------------------------------------------------------

# Versions are numbered: a Pi may not know the time.
fetch() {
    local number extra=[serial${hub:+,hub}] requirement
    folder "$OPT/versions"
    number=$(find "$OPT/versions" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -n | tail -n 1)
    new=$OPT/versions/$((${number:-0} + 1))
    case $source in
        "") requirement=pilogger$extra${want:+==$want} ;;
        *://*) requirement="pilogger$extra @ $source" ;;
        *) requirement=$source$extra ;;
    esac
    say "$requirement, in $new"
    python3 -m venv --system-site-packages "$new" # sees lgpio, which is apt's
    # Nothing else is shared with the system, so that no later apt can break it.
    "$new/bin/pip" install --quiet --ignore-installed "$requirement"
    "$new/bin/pilogger" --version
    "$new/bin/python" -I -c 'import pilogger.first' 2>/dev/null ||
        die "this version is too old for this installer: take the one that came with it"
}

# Asks the new version: for a first config, to try itself, to be the one that runs.
ask() { "$new/bin/python" -I -m "pilogger.$1" "${@:2}" "${services[@]}"; }

# -- 8: the end ------------------------------------------------------------------------------------

tidy() {
    local version
    if [ "$start" = point ]; then
        say "pilogger is installed; it starts with the machine."
        return # what runs now, if any, still needs its own version
    fi
    for version in "$OPT/versions"/*; do
        case $version in "$new" | "$old") ;; *) rm -rf "$version" ;; esac
    done
    if [ -z "$logger" ]; then
        say "The hub runs, at http://127.0.0.1:8080; $ETC/hub.env has its access key and address."
        return
    fi
    "$COMMAND" status --config "$CONFIG" || true
    say
    setpriv --reuid pilogger --regid pilogger --init-groups \
        "$COMMAND" read pi --config "$CONFIG" 2>/dev/null || true
    say
    say "pilogger runs. Next:"
    say "  1. describe your sensors in $CONFIG, then: sudo pilogger check"
    say "  2. make it so: sudo systemctl reload pilogger"
    say "  3. see how it is doing: pilogger status${hub:+, and http://127.0.0.1:8080}"
}

remove() {
    local service answer=""
    if [ -n "$purge" ] && [ -z "$yes" ]; then
        read -r -p "Delete all readings in ${STATES[*]}, and $ETC? [y/N] " answer </dev/tty ||
            die "nobody to ask here: say --yes to delete the readings"
        [ "$answer" = y ] || die "nothing was removed"
    fi
    if [ -d "$OPT" ]; then lock; fi
    for service in pilogger-undo pilogger pilogger-hub; do
        [ -e "$UNITS/$service.service" ] || continue
        systemctl --quiet disable ${live:+--now} "$service"
        rm -f "$UNITS/$service.service"
    done
    if [ -n "$live" ]; then systemctl daemon-reload; fi
    if [ "$(readlink "$COMMAND")" = "$OPT/current/bin/pilogger" ]; then rm -f "$COMMAND"; fi
    rm -rf "$OPT"
    say "pilogger is removed."
    if [ -z "$purge" ]; then
        say "Readings stay in ${STATES[0]}, the config in $ETC."
        return
    fi
    rm -rf "${STATES[@]}" "$ETC"
    for service in pilogger pilogger-hub; do
        if id "$service" >/dev/null 2>&1; then userdel "$service"; fi
    done
    say "Its readings, config and users are, too."
}

# Runs all this once more inside another system.
inside() {
    local root=$prefix folder code=0
    local again=(--no-start ${want:+--version "$want"} ${buses:+--enable "$buses"})
    if [ -z "$logger" ]; then again+=(--hub-only); elif [ -n "$hub" ]; then again+=(--hub); fi
    [ -x "$root/bin/bash" ] || die "$root holds no system: there is no $root/bin/bash"
    [ ! -L "$root/opt" ] || die "$root/opt is a link, which leads out of $root"
    folder=$(mktemp -d "$root/opt/.pilogger-install.XXXXXX")
    chmod 755 "$folder"
    if [ -e "$source" ]; then
        cp -R "$source" "$folder/"
        source=${folder#"$root"}/${source##*/}
    fi
    chroot "$root" /bin/bash -c "$(declare -f); main \"\$@\"" install.sh \
        "${again[@]}" ${source:+--source "$source"} || code=$?
    rm -rf "$folder"
    exit "$code"
}

# What a person needs when it ends early.
told() {
    local status=$? i
    [ "$status" -ne 0 ] && [ "$at" -gt 0 ] || return 0
    if [ ! -e "$OPT/undo" ] || sh "$OPT/undo"; then
        [ "$(readlink -f "$OPT/current")" = "$new" ] || rm -rf "$new"
    fi
    {
        printf '\npilogger: step %d, "%s", was not completed.\n' "$at" "${STEPS[at - 1]}"
        for ((i = 1; i < at; i++)); do printf '  done      %s\n' "${STEPS[i - 1]}"; done
        for ((i = at; i <= ${#STEPS[@]}; i++)); do printf '  not done  %s\n' "${STEPS[i - 1]}"; done
        say "Put right what the lines above say, and run this again: it goes on from what is there."
    } >&2
}

main() {
    set -euo pipefail
    settings
    options "$@"
    [ "$(id -u)" -eq 0 ] || die "this needs root: run it with sudo"
    cd / # a Python that root runs imports what lies where it is
    if [ -n "$prefix" ]; then inside; fi
    if [ -n "$uninstall" ]; then remove; exit; fi
    trap told EXIT
    step; look
    step; packages
    step; users
    step; fetch
    step; ask first
    step; ask versions try
    step; ask versions "$start"
    step; tidy
}

{ main "$@"; }
