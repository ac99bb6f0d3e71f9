#!/bin/sh
# Makes .venv, the environment that everything here runs in, from requirements.lock. Safe to run at any time: what is
# up to date is left alone. PYTHON=... chooses the interpreter.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."
stamp=.venv/setup.stamp

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

# Settings that say where packages come from are the user's; the others could change what is installed, or where.
for name in $(env | sed -n -e 's/^\(PIP_[A-Z0-9_]*\)=.*/\1/p' -e 's/^\(UV_[A-Z0-9_]*\)=.*/\1/p'); do
    case $name in
        *INDEX* | *_FIND_LINKS | *_CERT* | *_TLS | *_PROXY | *_HOST | *_KEYRING_PROVIDER | *_CONFIG*) ;;
        *_TIMEOUT | *_RETRIES | *_CACHE_DIR | *_LINK_MODE | *_OFFLINE | UV_CONCURRENT_*) ;;
        *) unset "$name" ;;
    esac
done
unset PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX

# One line for the packages, one for the project. The place counts: a virtual environment cannot be moved.
fingerprint() {
    "$1" -I - "$PWD" <<'EOF'
import hashlib, sys
lock, project = (hashlib.sha256(open(name, "rb").read()).hexdigest() for name in ("requirements.lock", "pyproject.toml"))
print("packages", lock, sys.argv[1])
print("project", project)
EOF
}

is_current() { [ -f $stamp ] && [ "$(fingerprint .venv/bin/python 2>/dev/null)" = "$(cat $stamp)" ]; }

packages_are_current() {
    [ -f $stamp ] && [ "$(fingerprint .venv/bin/python 2>/dev/null | head -n 1)" = "$(head -n 1 $stamp)" ]
}

find_python() {
    for name in ${PYTHON:-python3 python3.15 python3.14 python3.13 python3.12 python3.11}; do
        # Asked, not trusted: a version manager puts names on PATH that do not run.
        python=$("$name" -I -c 'import sys; sys.version_info >= (3, 11) and print(sys.executable)' 2>/dev/null) || continue
        [ -z "$python" ] || return 0
    done
    fail "Python 3.11 or newer is needed and was not found. On Debian or Ubuntu, run this, then try again:" \
        "    sudo apt-get install python3 python3-venv"
}

# A set-up that was killed may have left an installer at work; two terminals may have started one each.
wait_for_other_setup() {
    exec 9<scripts/setup.sh
    "$python" -I - <<'EOF'
import fcntl
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("setup: waiting for another set-up to finish", flush=True)
    fcntl.flock(9, fcntl.LOCK_EX)
except OSError:
    pass  # a file system without locks
EOF
}

choose_cache() {
    cache=${XDG_CACHE_HOME:-}
    if [ -z "$cache" ] && [ -d "${HOME:-}" ]; then cache=$HOME/.cache; fi
    if [ -z "$cache" ] || ! mkdir -p "$cache/uv" "$cache/pip" 2>/dev/null ||
        [ ! -w "$cache/uv" ] || [ ! -w "$cache/pip" ]; then
        cache=$PWD/.venv/cache
    fi
    export UV_CACHE_DIR="${UV_CACHE_DIR:-$cache/uv}" PIP_CACHE_DIR="${PIP_CACHE_DIR:-$cache/pip}"
}

pip() { .venv/bin/python -m pip --disable-pip-version-check --no-input -q "$@"; }

# `pip config get` reads one file only; `list` reads them all.
pip_setting() {
    for with_pip in .venv/bin/python "$python"; do
        "$with_pip" -m pip config list 2>/dev/null | sed -n "s/^global\\.$1='\\(.*\\)'\$/\\1/p"
    done | head -n 1
}

# Debian and Ubuntu split venv and pip off python3, so each may be missing.
make_venv() {
    rm -rf .venv
    if "$python" -m venv .venv >/dev/null 2>&1; then return; fi
    rm -rf .venv
    if "$python" -m pip --version >/dev/null 2>&1 && "$python" -m venv --without-pip .venv &&
        "$python" -m pip --python .venv/bin/python -q install pip; then return; fi
    rm -rf .venv
    package=$("$python" -I -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing $package"
        export DEBIAN_FRONTEND=noninteractive
        if apt-get -qq update && apt-get -qq install -y --no-install-recommends "$package" >/dev/null &&
            "$python" -m venv .venv >/dev/null; then return; fi
    fi
    fail "$python cannot make virtual environments. On Debian or Ubuntu, run this, then try again:" \
        "    sudo apt-get install $package"
}

# Compiling now, on all cores, spares every first import later: the stack takes seconds longer to import without.
packages_with_uv() {
    say "installing packages with uv"
    # uv does not read pip's settings, where a mirror or a company's certificate is most often named.
    index=${PIP_INDEX_URL:-$(pip_setting index-url)}
    cert=${PIP_CERT:-$(pip_setting cert)}
    if [ -n "$index" ] && [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX="$index"; fi
    if [ -n "$cert" ] && [ -z "${SSL_CERT_FILE:-}" ]; then export SSL_CERT_FILE="$cert"; fi
    "$1" pip install -q --python .venv/bin/python --compile-bytecode --require-hashes -r requirements.lock
}

packages_with_pip() {
    say "installing packages with pip, which takes longer"
    pip install --no-compile --no-deps --require-hashes -r requirements.lock || return
    # Fails for files that are no Python 3, which some packages carry as templates.
    .venv/bin/python -m compileall -qq -j 0 .venv/lib || :
}

install_packages() {
    if uv=$(command -v uv) && "$uv" venv -q --no-project --allow-existing --python "$python" .venv &&
        packages_with_uv "$uv"; then
        return
    fi
    make_venv
    # A wheel or nothing: building uv needs a Rust compiler.
    if pip install --only-binary :all: uv 2>/dev/null && packages_with_uv .venv/bin/uv; then return; fi
    packages_with_pip || fail "the packages could not be installed: see above"
}

install_project() {
    if uv=$(command -v uv || command -v .venv/bin/uv); then
        "$uv" pip install -q --python .venv/bin/python --no-deps --no-build-isolation -e .
    else
        pip install --no-deps --no-build-isolation -e .
    fi
    # Relative, and so plain ASCII: Python before 3.13 reads these files in the locale's encoding, and does not start
    # where that lacks a character of the project's path.
    for path in .venv/lib/python*/site-packages/clusterlib.pth; do
        if [ -e "$path" ]; then echo ../../../.. >"$path"; fi
    done
}

if is_current; then exit 0; fi
started=$(date +%s)
find_python
wait_for_other_setup
if is_current; then exit 0; fi
choose_cache
if packages_are_current; then
    rm -f $stamp
else
    say "making .venv with $python"
    # The stamp goes first and comes back last, so that an unfinished .venv is never taken for a whole one.
    rm -f $stamp
    rm -rf .venv
    install_packages
fi
install_project
rm -rf .venv/cache
fingerprint .venv/bin/python >$stamp.new
mv $stamp.new $stamp
say "done in $(($(date +%s) - started)) s"
