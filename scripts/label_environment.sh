#!/bin/sh
# Make a virtual environment with a MONAI Label server for the tests: label_environment.sh FOLDER MONAI_VERSION
# It has no t3d: a server finds t3d in the bundles' own copies only, as in a hospital.
#   PYTHON       interpreter to start from (python3), 3.10 or 3.11
#   TORCH_INDEX  as in environment.sh
# People install MONAI Label as docs/monai_label.md says. This environment is leaner (a third of the download), and
# takes versions MONAI Label's own requirements exclude, so that newer MONAI is tested, too.
set -eu
cd "$(dirname "$0")/.."
# else pip takes an egg-info of this folder for an installed t3d and complains about what that would need
export PYTHONSAFEPATH=1

folder=$1
monai=$2
python=${PYTHON:-python3}
fail() {
    echo "error: $*" >&2
    exit 1
}

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') ||
    fail "$python does not start; name an interpreter, e.g. make test-label PYTHON=python3.11"
case $version in
    3.10 | 3.11) ;;
    *) fail "$python is Python $version, MONAI Label 0.8.5 needs 3.10 or 3.11; e.g. make test-label PYTHON=python3.11" ;;
esac

# monai 1.5 pins this ignite in the extra that MONAI Label asks for, so it is what people have
case $monai in
    1.5.*) ignite=pytorch-ignite==0.4.11 ;;
    *) ignite='pytorch-ignite>=0.5,<0.6' ;;
esac

scripts/environment.sh "$folder" torch
pip="$folder/bin/python -m pip install --quiet --disable-pip-version-check"
echo "==> installing monai $monai and a MONAI Label server"
$pip "monai==$monai" "$ignite" 'nibabel>=5.0' 'fire>=0.5' 'numpy>=1.24' 'safetensors>=0.4' \
    'tensorboard>=2.12' 'matplotlib>=3.7' 'scipy>=1.10' 'einops>=0.6' 'psutil>=5.9' 'pytest>=7.4' \
    uvicorn fastapi pydantic pydantic-settings python-dotenv python-multipart httpx schedule 'dicomweb-client[gcp]' \
    timeloop expiringdict expiring_dict cachetools watchdog 'pydicom<3' simpleitk pynetdicom pynrrd girder-client \
    filelock passlib pyjwt bcrypt shapely requests requests-toolbelt google-auth itk jsonschema scikit-image tqdm pyyaml
$pip --no-deps pydicom-seg==0.4.1 monailabel==0.8.5
# MONAI Label imports torchvision at start, for pictures that no bundle makes. PyPI's torchvision does not import
# beside a CPU build of torch ("operator torchvision::nms does not exist"), so a stand-in takes its place.
stand_in=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torchvision
mkdir -p "$stand_in"
echo '__version__ = "0.0.0"' >"$stand_in/__init__.py"
printf 'def make_grid(*args, **kwargs):\n    raise NotImplementedError("a stand-in for torchvision")\n\n\nsave_image = make_grid\n' \
    >"$stand_in/utils.py"
