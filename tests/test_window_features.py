import os

import pytest
import torch
from safetensors.torch import load_file

from t3d.errors import T3DError
from t3d.networks.volume_classifier import VolumeClassifier
from t3d.transforms.window_features import WindowFeatures, WindowFeaturesd


class Prepare:
    """Stands for loading: counts its calls; the volume follows from the file's content."""

    def __init__(self):
        self.calls = []

    def __call__(self, item):
        self.calls.append(item["case_id"])
        number = int(open(item["image"], "rb").read()[0])
        return {**item, "image": torch.full((1, 32, 32, 64), number / 100)}


@pytest.fixture
def items(tmp_path):
    found = []
    for number in range(3):
        (tmp_path / f"{number}.nii.gz").write_bytes(bytes([50 + number]))
        found.append({"case_id": f"c{number}", "image": str(tmp_path / f"{number}.nii.gz"), "label": [1.0]})
    return found


def network(seed=0):
    torch.manual_seed(seed)
    return VolumeClassifier(num_findings=1, feature_size=12, window_size=2, crop_size=32, overlap=0)


def cache(tmp_path, prepare, *, seed=0, settings=None):
    return WindowFeatures(
        network=network(seed), preprocessing=prepare, cache_dir=tmp_path / "cache", settings=settings or {"spacing": 1}
    )


def test_features_are_computed_once_and_are_the_networks(tmp_path, items):
    prepare = Prepare()
    first = cache(tmp_path, prepare)
    first.precompute(items)
    assert prepare.calls == ["c0", "c1", "c2"]
    cache(tmp_path, prepare).precompute(items)
    assert len(prepare.calls) == 3
    found = WindowFeaturesd("image", features=first)(items[1])
    with torch.no_grad():
        features, mask = network().eval().window_features(torch.full((32, 32, 64), 0.51))
    assert torch.allclose(found["image"], features[0], atol=1e-6) and torch.equal(found["window_mask"], mask[0])
    assert found["label"] == [1.0] and found["image"].shape == (2, 192)


def test_whatever_changes_makes_new_features(tmp_path, items):
    prepare = Prepare()
    cache(tmp_path, prepare).precompute(items)
    cache(tmp_path, prepare, seed=1).precompute(items)
    assert len(prepare.calls) == 6, "another encoder"
    cache(tmp_path, prepare, settings={"spacing": 2}).precompute(items)
    assert len(prepare.calls) == 9, "another spacing"
    os.utime(items[0]["image"], ns=(1, 1))
    cache(tmp_path, prepare).precompute(items)
    assert prepare.calls[9:] == ["c0"], "another file"


def test_nothing_of_the_case_stands_in_the_file_or_its_name(tmp_path, items):
    # A name that no hexadecimal digest can contain: "c0" stood in one by chance
    item = {**items[0], "case_id": "john_smith"}
    prepared = cache(tmp_path, Prepare())
    prepared.precompute([item])
    (file,) = (tmp_path / "cache").iterdir()
    assert set(load_file(file)) == {"features", "mask"}
    assert "smith" not in file.name and b"smith" not in file.read_bytes()


def test_faults_are_named(tmp_path, items):
    prepared = cache(tmp_path, Prepare())
    with pytest.raises(T3DError, match="before precompute"):
        prepared.read(items[0])
    prepared.precompute(items[:1])
    with pytest.raises(T3DError, match="case c1: no window features"):
        prepared.read(items[1])
    prepared.path(items[0]).write_bytes(b"half")
    with pytest.raises(T3DError, match="case c0: .* is damaged"):
        prepared.read(items[0])
    with pytest.raises(T3DError, match="case c9: image .* does not exist"):
        prepared.precompute([{"case_id": "c9", "image": str(tmp_path / "no.nii.gz")}])


def test_the_networks_mode_is_left_as_it_was(tmp_path, items):
    prepared = cache(tmp_path, Prepare())
    prepared.network.train()
    prepared.precompute(items[:1])
    assert prepared.network.training
