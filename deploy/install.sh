#!/usr/bin/env bash
# Installs TinyGen, at the commit that is checked out here, on a Debian or Ubuntu host: the first time, for each
# upgrade and for each way back. It may be run again at any time: it asks nothing, and changes no setting that is there.
set -euo pipefail
umask 022
export DEBIAN_FRONTEND=noninteractive

usage() {
    cat <<'END_OF_USAGE'
sudo deploy/install.sh [--domain bot.example.com [--email you@example.com]] [--behind-balancer]
                       [--env FILE] [--only web|worker|both]

  --domain NAME      nginx with a certificate of Let's Encrypt for NAME, renewed by itself. While NAME does not lead
                     here yet, nginx has a certificate of its own, and asks again every ten minutes
  --email ADDRESS    where Let's Encrypt writes if a renewal fails
  --behind-balancer  nginx without TLS on port 80, for a load balancer that has the certificate
  --env FILE         TinyGen's settings, taken if /etc/tinygen/env is not there yet
  --only PART        runs the web part or the worker alone, for several hosts on one PostgreSQL; both: no longer

Options are remembered in /opt/tinygen/options; those that are given win. Without --domain and --behind-balancer,
TinyGen listens on this host alone.
END_OF_USAGE
}

fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

step() {
    printf '== %s\n' "$*"
}

ROOT=/opt/tinygen
RELEASES=$ROOT/releases
DEPENDENCIES=$ROOT/dependencies
CURRENT=$ROOT/current
SETTINGS=/etc/tinygen/env
REMEMBERED=$ROOT/options
DATA=/var/lib/tinygen
KEPT_RELEASES=3
READY_WAIT_S=90

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
domain='' email='' proxy='' only='' env_file='' dependencies=''

if [ -f "$REMEMBERED" ]; then
    while IFS='=' read -r key value; do
        case $key in domain | email | proxy | only) printf -v "$key" '%s' "$value" ;; esac
    done <"$REMEMBERED"
fi

while [ $# -gt 0 ]; do
    case $1 in
        --help | -h)
            usage
            exit 0
            ;;
        --behind-balancer)
            proxy=balancer
            shift
            ;;
        --domain | --email | --env | --only)
            [ -n "${2:-}" ] || fail "$1 needs a value; see --help"
            case $1 in
                --domain) domain=${2,,} proxy=tls ;;
                --email) email=$2 ;;
                --env) env_file=$2 ;;
                --only) only=$2 ;;
            esac
            shift 2
            ;;
        *)
            usage >&2
            fail "$1 is no option"
            ;;
    esac
done

[ "$(id -u)" -eq 0 ] || fail 'run it with sudo'
exec 9>/run/tinygen-install.lock
flock -n 9 || fail 'another install.sh runs: wait for it'
command -v apt-get >/dev/null || fail 'this host has no apt-get; docs/install.md has the other ways'
[[ $domain =~ ^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$ || -z $domain ]] ||
    fail "--domain $domain is no host's name"
[[ $email =~ ^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+$ || -z $email ]] || fail "--email $email is no address"
case $only in '' | web | worker) ;; both) only='' ;; *) fail "--only $only: it is web, worker or both" ;; esac
case $proxy in '' | tls | balancer) ;; *) fail "$REMEMBERED has proxy=$proxy: it is tls, balancer or nothing" ;; esac
[ ! -e "$SETTINGS" ] || { [ -f "$SETTINGS" ] && [ ! -L "$SETTINGS" ]; } || fail "$SETTINGS is no regular file: put it elsewhere"
[ -z "$env_file" ] || [ -r "$env_file" ] || fail "$env_file cannot be read"
parts=${only:-web worker}
site=$proxy
[ "$only" != worker ] || site=''

install_packages() {
    local wanted=(ca-certificates curl git logrotate python3-venv sqlite3) missing=() name
    [ -z "$site" ] || wanted+=(nginx-light)
    [ "$site" != tls ] || wanted+=(certbot openssl)
    for name in "${wanted[@]}"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        step "packages: ${missing[*]}"
        dpkg --configure -a
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    fi
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail 'Python 3.11 or later is needed: Debian 12, Ubuntu 24.04'
}

make_user() {
    id tinygen >/dev/null 2>&1 ||
        useradd --system --user-group --home-dir "$DATA" --shell /usr/sbin/nologin tinygen
    getent group tinygen >/dev/null || fail 'the user tinygen has no group tinygen: make it, with groupadd and usermod'
    install -d -o tinygen -g tinygen -m 700 "$DATA" /var/backups/tinygen
    install -d -m 755 "$ROOT" "$RELEASES" /etc/tinygen
}

write_settings() {
    if [ -n "$env_file" ] && [ ! -s "$SETTINGS" ]; then
        step "settings: $env_file becomes $SETTINGS"
        install -m 600 "$env_file" "$SETTINGS"
    elif [ -n "$env_file" ] && ! cmp -s "$env_file" "$SETTINGS"; then
        step "settings: $SETTINGS is there already and stays as it is; $env_file is not taken"
    fi
    [ -e "$SETTINGS" ] || install -m 600 /dev/null "$SETTINGS"
    if [ "$site" = tls ] && ! grep -q '^TINYGEN_PUBLIC_URL=' "$SETTINGS"; then
        [ -z "$(tail -c 1 "$SETTINGS")" ] || echo >>"$SETTINGS"
        echo "TINYGEN_PUBLIC_URL=https://$domain" >>"$SETTINGS"
    elif [ "$site" = tls ] && ! grep -q "^TINYGEN_PUBLIC_URL=.*$domain" "$SETTINGS"; then
        step "settings: TINYGEN_PUBLIC_URL is not https://$domain; links in comments lead to what it is"
    fi
    "$source_dir/deploy/host/seal-settings"
}

remember_options() {
    printf '%s\n' "domain=$domain" "email=$email" "proxy=$proxy" "only=$only" >"$REMEMBERED"
}

# Sets `dependencies` to a virtual environment that holds what the file pins. Versions that pin the same share it.
install_dependencies() { # REQUIREMENTS
    dependencies=$DEPENDENCIES/$({ cat "$1"; python3 --version; } | sha256sum | cut -c 1-16)
    ! { [ -e "$dependencies/complete" ] && "$dependencies/bin/python" -m pip --version >/dev/null 2>&1; } || return 0
    rm -rf "$dependencies"
    mkdir -p "$DEPENDENCIES"
    python3 -m venv "$dependencies"
    "$dependencies/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$1"
    touch "$dependencies/complete"
}

# A virtual environment for each version, so that what runs is left alone until the new one is whole, and the way back
# needs nothing but the link.
build_release() {
    local git=(git -c safe.directory="$source_dir" -C "$source_dir") scratch
    "${git[@]}" rev-parse --quiet --verify HEAD >/dev/null || fail "$source_dir is no git checkout: clone the repository"
    [ -z "$("${git[@]}" status --porcelain --untracked-files=no)" ] ||
        fail "$source_dir has changes that are not committed: commit them, or git checkout them away"
    name=$("${git[@]}" describe --tags --long --always --abbrev=12 --match 'v[0-9]*')
    release=$RELEASES/${name//\//-}
    if [ -e "$release/complete" ] && "$release/bin/tinygen" --version >/dev/null 2>&1; then
        step "release: $name is here already"
        return
    fi
    step "release: $name into $release"
    install_dependencies "$source_dir/requirements.txt"
    rm -rf "$release"
    mkdir -p "$RELEASES"
    python3 -m venv "$release"
    echo "$dependencies"/lib/python3*/site-packages >"$(echo "$release"/lib/python3*/site-packages)/dependencies.pth"
    echo "$dependencies" >"$release/dependencies"
    install_dependencies "$source_dir/requirements-build.txt"
    echo "$dependencies" >>"$release/dependencies"
    scratch=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder's name as it is now
    trap "rm -rf '$scratch'" EXIT
    # from a clone, so that only what is committed is built
    git -c advice.detachedHead=false -c safe.directory="$source_dir/.git" clone --quiet --no-hardlinks "$source_dir" "$scratch/source"
    "${git[@]}" rev-parse HEAD | xargs git -c advice.detachedHead=false -C "$scratch/source" checkout --quiet --detach
    "$dependencies/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps \
        --wheel-dir "$scratch" "$scratch/source"
    "$release/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps "$scratch"/*.whl
    cp -R "$scratch/source/deploy" "$release/deploy"
    "$release/bin/tinygen" --version
    touch "$release/complete"
}

use_release() { # DIRECTORY
    ln -sfn "$1" "$CURRENT.new"
    mv -T "$CURRENT.new" "$CURRENT"
    install -m 755 "$1/deploy/host/tinygen" /usr/local/bin/tinygen
    install -m 644 "$1"/deploy/systemd/*.service "$1"/deploy/systemd/*.timer "$1"/deploy/systemd/*.target \
        "$1"/deploy/systemd/*.path \
        /etc/systemd/system/
    install -D -m 644 "$1/deploy/systemd/journald.conf" /etc/systemd/journald.conf.d/tinygen.conf
}

port() {
    local given
    given=$(sed -n 's/^ *TINYGEN_PORT *= *["'"'"']\{0,1\}\([0-9]\{1,5\}\).*/\1/p' "$SETTINGS" | tail -n 1)
    echo "${given:-8000}"
}

# Puts the site of that release in place, or leaves nginx as it was, and fails.
configure_nginx() { # DIRECTORY
    [ -n "$site" ] || return 0
    step "nginx: ${domain:-behind a load balancer}"
    local nginx=$1/deploy/nginx sites=/etc/nginx/sites-available/tinygen.conf snippet=/etc/nginx/snippets/tinygen.conf file default
    for file in "$sites" "$snippet"; do
        [ ! -e "$file" ] || cp -p "$file" "$file.before"
    done
    sed "s/127\.0\.0\.1:8000/127.0.0.1:$(port)/" "$nginx/locations.conf" >"$snippet"
    if [ "$site" = tls ]; then
        sed "s/bot\.example\.com/$domain/g" "$nginx/tinygen.conf" >"$sites"
        "$1/deploy/host/certificate" --self-signed "$domain"
    else
        cp "$nginx/behind-balancer.conf" "$sites"
    fi
    ln -sf ../sites-available/tinygen.conf /etc/nginx/sites-enabled/tinygen.conf
    default=$(readlink /etc/nginx/sites-enabled/default || true)
    rm -f /etc/nginx/sites-enabled/default
    if ! nginx -q -t; then
        for file in "$sites" "$snippet"; do
            if [ -e "$file.before" ]; then mv "$file.before" "$file"; else rm -f "$file"; fi
        done
        [ -e "$sites" ] || rm -f /etc/nginx/sites-enabled/tinygen.conf
        [ -z "$default" ] || ln -s "$default" /etc/nginx/sites-enabled/default
        return 1
    fi
    rm -f "$sites.before" "$snippet.before"
}

reload_nginx() {
    [ -n "$site" ] || return 0
    systemctl reload-or-restart nginx || return 1
    [ "$site" != tls ] || "$CURRENT/deploy/host/certificate" "$domain" "$email" || true
}

is_booted() {
    [ -d /run/systemd/system ]
}

start() {
    local units=(tinygen.target tinygen-seal.path tinygen-backup.timer tinygen-maintenance.timer) part now=''
    for part in $parts; do
        units+=("tinygen-$part.service")
    done
    [ "$site" != tls ] || units+=(tinygen-certificate.timer)
    ! is_booted || now=--now
    [ "$site" = tls ] || systemctl disable --quiet $now tinygen-certificate.timer
    for part in web worker; do
        [[ " $parts " = *" $part "* ]] || systemctl disable --quiet $now "tinygen-$part.service"
    done
    if ! is_booted; then
        systemctl enable --quiet "${units[@]}"
        return
    fi
    systemctl daemon-reload
    systemctl try-restart systemd-journald
    systemctl enable --quiet "${units[@]}"
    started_at=$(date +%s)
    # What does not start is seen by `wait_for_outcome`.
    systemctl restart tinygen.target || true
    systemctl start "${units[@]}" || true
}

# Prints what TinyGen came to: "ready", "setup LINK", or nothing for as long as it is neither.
outcome() {
    local link
    if [ "$only" = worker ]; then
        sleep 5
        ! systemctl is-active --quiet tinygen-worker || echo ready
    elif is_answered readyz; then
        echo ready
    elif link=$(setup_link) && [ -n "$link" ]; then
        echo "setup $link"
    elif [ "$only" = web ] && is_answered healthz; then
        echo ready
    fi
}

is_answered() { # PATH
    curl -fsS -m 5 -o /dev/null "http://127.0.0.1:$(port)/$1" 2>/dev/null
}

setup_link() {
    journalctl -u tinygen-web --since "@$started_at" -o cat 2>/dev/null |
        sed -n 's/.*this link, which works once: \(http[^ ]*\)$/\1/p' | tail -n 1
}

wait_for_outcome() {
    local deadline=$((SECONDS + READY_WAIT_S)) said=''
    while [ "$SECONDS" -lt "$deadline" ] && [ -z "$said" ]; do
        for part in $parts; do
            ! systemctl is-failed --quiet "tinygen-$part" || return 1
        done
        said=$(outcome)
        [ -n "$said" ] || sleep 1
    done
    echo "$said"
    [ -n "$said" ]
}

switch_to() { # DIRECTORY
    use_release "$1"
    start
    ! is_booted || reload_nginx || step 'nginx does not run: systemctl status nginx'
}

remove_old_releases() {
    local old
    # shellcheck disable=SC2012 # their names are ours
    ls -1td "$RELEASES"/*/ | tail -n +$((KEPT_RELEASES + 1)) | while read -r old; do
        [ "${old%/}" = "$release" ] || [ "${old%/}" = "$previous" ] || rm -rf "$old"
    done
    for old in "$DEPENDENCIES"/*; do
        grep -qsxF "$old" "$RELEASES"/*/dependencies || [ "$old" = "$dependencies" ] || rm -rf "$old"
    done
}

install_packages
make_user
write_settings
build_release
previous=$(readlink "$CURRENT" || true)
if [ -n "$previous" ] && [ "$previous" != "$release" ] && is_booted; then
    step "what changes from ${previous##*/}"
    [ -n "$only" ] || systemctl start tinygen-backup.service
    "$release/deploy/host/tinygen" --release "$release" upgrade --check ||
        [ $? -eq 1 ] || fail "the settings cannot be used by $name: nothing was changed, ${previous##*/} runs on"
fi
configure_nginx "$release" || fail 'nginx does not take the site, above is why: nothing else was changed'
remember_options
switch_to "$release"
touch "$release"
remove_old_releases
if ! is_booted; then
    step "installed; systemd does not run here, so TinyGen starts with the host's next boot"
    exit 0
fi
if ! said=$(wait_for_outcome); then
    journalctl -u tinygen-web -u tinygen-worker --since "@$started_at" -o cat -n 20 --no-pager >&2 || true
    if [ -z "$previous" ] || [ "$previous" = "$release" ]; then
        fail 'TinyGen did not become ready; above is what its log says last'
    fi
    step "the way back to ${previous##*/}"
    configure_nginx "$previous" || true
    switch_to "$previous"
    wait_for_outcome >/dev/null || fail "neither $name nor ${previous##*/} becomes ready; above is what the log says"
    fail "$name did not become ready, ${previous##*/} runs again; above is what the log of $name says last"
fi
case $said in
    ready)
        step "TinyGen $name is ready${domain:+ at https://$domain}"
        echo "Look whether all is well: tinygen doctor"
        ;;
    setup*)
        step "TinyGen $name waits for its set-up. Open this link, which works once:"
        echo "${said#setup }"
        [ -n "$domain" ] || echo "From your own machine, first: ssh -L $(port):127.0.0.1:$(port) THIS_HOST"
        ;;
esac
