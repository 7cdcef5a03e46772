#!/usr/bin/env bash
# Starts Easel: reads webui-user.sh, finds a Python and hands over to launch.py, which installs what is missing.
#   ./webui.sh [flags]              the web page, http://127.0.0.1:7860
#   ./webui.sh txt2img "a prompt"   a picture without a server
#   ./webui.sh test [pytest words]  the tests
#   ./webui.sh --help               all flags

fail() {
    printf 'webui: %s\n' "$1" >&2
    exit 1
}

works() { # Is $1 a Python that Easel runs on?
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

script=$(readlink -f -- "$0" 2>/dev/null) || script=$0
here=$(cd -- "$(dirname -- "$script")" && pwd) || exit 1

set -a # what webui-user.sh sets is meant for launch.py too
if [ "$(uname)" = Darwin ] && [ -f "$here/webui-macos-env.sh" ]; then
    . "$here/webui-macos-env.sh"
fi
if [ -f "$here/webui-user.sh" ]; then
    . "$here/webui-user.sh"
fi
set +a

if [ ! -f "$here/launch.py" ]; then
    here=${install_dir:-$here}/${clone_dir:-stable-diffusion-webui}
    [ -f "$here/launch.py" ] || fail "launch.py is not beside webui.sh: start webui.sh in the folder that holds the whole program."
fi

python=${python_cmd:-${PYTHON:-}}
if [ -n "$python" ]; then
    command -v -- "$python" >/dev/null 2>&1 ||
        fail "there is no '$python' (named by python_cmd or PYTHON): correct it in webui-user.sh, or leave it out."
else
    venv=${venv_dir:-${VENV_DIR:-venv}}
    case $venv in /*) ;; *) venv=$here/$venv ;; esac
    [ "${SKIP_VENV:-}" != 1 ] || venv=/nowhere
    for candidate in "$venv/bin/python" python3 python3.13 python3.12 python3.11 python3.10 python; do
        if command -v -- "$candidate" >/dev/null 2>&1 && works "$candidate"; then
            python=$candidate
            break
        fi
    done
fi
if [ -z "$python" ]; then
    found=$(python3 --version 2>&1) || found="no python3"
    fail "no Python 3.10-3.13 on this machine ($found): install one, or name it by python_cmd in webui-user.sh."
fi

exec "$python" "$here/launch.py" "$@"
