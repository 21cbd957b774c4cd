import pytest
import torch
from safetensors.torch import save_file

from t3d.reports.feature_file import is_whole, read_features, write_features


def test_round_trip(tmp_path):
    features, sentence = torch.randn(5, 8)[:, :6], torch.tensor([-1, 0, 0, 1, -1])
    path = tmp_path / "ab" / "x.safetensors"
    write_features(path, features, sentence)
    found = read_features(path)
    assert torch.equal(found[0], features) and torch.equal(found[1], sentence)
    assert found[0].dtype == torch.float32 and found[1].dtype == torch.int64
    assert is_whole(path, 6) and not is_whole(path, 8)


@pytest.mark.parametrize("size", [0, 4, 60, -1])
def test_damaged_files_are_seen(tmp_path, size):
    path = tmp_path / "x.safetensors"
    write_features(path, torch.randn(5, 6), torch.zeros(5))
    path.write_bytes(path.read_bytes()[:size])
    assert not is_whole(path, 6)


def test_files_of_another_kind_are_seen(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"features": torch.zeros(5, 6)}, path)
    assert not is_whole(path, 6)
    save_file({"features": torch.zeros(5, 6), "sentence": torch.zeros(4)}, path)
    assert not is_whole(path, 6)
    assert not is_whole(tmp_path / "nowhere.safetensors", 6)
