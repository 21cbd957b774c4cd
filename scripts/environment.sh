#!/bin/sh
# Make a virtual environment with this package and a CPU torch: environment.sh FOLDER EXTRA
# EXTRA cards: without this package, with what the install lines of the bundles' cards name; torch: with torch alone
#   PYTHON       interpreter to start from (python3)
#   TORCH_INDEX  package index with CPU builds of torch; empty: torch comes from pip's own index
set -eu
cd "$(dirname "$0")/.."
# else pip takes an egg-info of this folder for an installed t3d and complains about what that would need
export PYTHONSAFEPATH=1

folder=$1
extra=$2
python=${PYTHON:-python3}
torch=torch==2.13.0
torch_index=${TORCH_INDEX-https://download.pytorch.org/whl/cpu}

fail() {
    echo "error: $*" >&2
    exit 1
}

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') ||
    fail "$python does not start; name an interpreter, e.g. make test PYTHON=python3.11"
case $version in
    3.10 | 3.11 | 3.12) ;;
    *) fail "$python is Python $version, T3D needs 3.10 to 3.12; name another, e.g. make test PYTHON=python3.11" ;;
esac
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python cannot make virtual environments; on Debian and Ubuntu: apt install python$version-venv"

# pip tries a silent index again and again, so ask once, and for 15 seconds at most, whether it answers.
index_answers() {
    "$python" -c 'import signal, sys, urllib.request
signal.alarm(15)
urllib.request.urlopen(sys.argv[1].rstrip("/") + "/torch/", timeout=10)' "$torch_index" 2>/dev/null
}

echo "==> making $folder with Python $version"
"$python" -m venv --clear "$folder"
pip="$folder/bin/python -m pip install --quiet --disable-pip-version-check"
if [ -n "$torch_index" ] && index_answers; then
    echo "==> installing $torch from $torch_index"
    $pip --extra-index-url "$torch_index" "$torch"
else
    echo "==> installing $torch from pip's own index (on Linux PyPI has the larger CUDA build, which works too)"
    $pip "$torch"
fi
if [ "$extra" = cards ]; then
    echo "==> installing what the bundles' cards name"
    "$python" scripts/card_requirements.py bundles/*/docs/README.md >"$folder/requirements.txt"
    # jsonschema is for verify_metadata only
    $pip --requirement "$folder/requirements.txt" jsonschema
elif [ "$extra" != torch ]; then
    echo "==> installing t3d[$extra] and what it needs"
    $pip --editable ".[$extra]"
fi
