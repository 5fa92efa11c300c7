# Sourced by scripts/demo and scripts/test. `prepare_environment EXTRA` leaves .venv with `.[EXTRA]` installed, $python pointing
# into it, and $root at the top of the repository. Both scripts share one .venv; each keeps a stamp of what it installed.

preferred_python=${PYTHON:-}
# What the caller's shell says about Python, pip's targets, pytest, Keras or JAX must not leak into our runs.
unset CDPATH PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_REQUIRE_VIRTUALENV ${!PYTHON@} ${!PYTEST@} ${!KERAS@} ${!JAX_@}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
python=$venv/bin/python
export PYTHONUTF8=1 KERAS_HOME=$venv/keras TF_CPP_MIN_LOG_LEVEL=2

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    exit 1
}

is_usable_python() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# Prints the first usable interpreter. The base one: .venv's own, on the PATH of an activated shell, goes when .venv is remade.
find_python() {
    local candidate
    for candidate in ${preferred_python:+"$preferred_python"} python3.11 python3.12 python3.13 python3.14 python3 python; do
        if is_usable_python "$candidate"; then
            "$candidate" -c 'import sys; print(getattr(sys, "_base_executable", sys.executable))'
            return
        fi
    done
    return 1
}

make_venv() {
    local base
    base=$(find_python) || fail "needs Python 3.11 or later with its venv module (Debian, Ubuntu: python3-venv); none of \
${preferred_python:+$preferred_python, }python3.11, python3.12, python3.13, python3.14, python3, python is one. \
PYTHON=/path/to/python chooses another."
    echo "Making .venv with $base"
    rm -rf "$venv"
    mkdir "$venv"
    touch "$venv/.unfinished"
    "$base" -m venv "$venv"
}

install_extra() {
    echo "Installing keras-coatnet[$1] into .venv (minutes the first time, seconds later)"
    touch "$venv/.unfinished"
    "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip --upgrade >/dev/null
    "$python" -m pip install --quiet --disable-pip-version-check --editable "$root[$1]" || fail "the installation failed, see \
above. Not every package has wheels for every Python; this is $("$python" -V). PYTHON=/path/to/another/python chooses another."
}

prepare_environment() {
    local stamp
    # The path is part of the stamp since an editable installation points at it.
    stamp=$({ echo "$root" && cat "$root/pyproject.toml"; } | cksum)
    # Two scripts started at once take turns. Children must not inherit the lock, so it is closed below.
    if command -v flock >/dev/null; then
        exec 9>"$root/.venv.lock"
        flock 9
    fi
    # .unfinished is there from before an installation until after it: found here, one was interrupted.
    if [ -e "$venv/.unfinished" ] || ! is_usable_python "$python"; then
        make_venv
    fi
    if [ "$(cat "$venv/.installed-$1" 2>/dev/null)" != "$stamp" ]; then
        install_extra "$1"
        echo "$stamp" >"$venv/.installed-$1"
        rm -f "$venv/.unfinished"
    fi
    exec 9>&-
}
