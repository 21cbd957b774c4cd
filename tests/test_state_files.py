import argparse

import pytest
import safetensors.torch
import torch

from t3d.errors import T3DError
from t3d.weights.state_files import read_state

STATE = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2])}


def equal(state):
    return state.keys() == STATE.keys() and all(torch.equal(state[key], STATE[key]) for key in STATE)


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"state_dict": STATE, "epoch": 3},
        {"model": {"state_dict": STATE}, "optimizer": {"state": {}}},
        {**STATE, "step": 3},
    ],
)
def test_plain_and_nested_state_dicts(tmp_path, content):
    torch.save(content, tmp_path / "x.pt")
    assert equal(read_state(tmp_path / "x.pt"))


def test_safetensors_and_the_old_torch_format(tmp_path):
    safetensors.torch.save_file(STATE, tmp_path / "x.safetensors")
    torch.save(STATE, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert equal(read_state(tmp_path / "x.safetensors")) and equal(read_state(tmp_path / "old.pt"))


@pytest.mark.parametrize("name", ["x.pt", "x.safetensors"])
@pytest.mark.parametrize("content", [b"", b"hello, a text file\n", b"\x80\x02}q\x00.", b"\x89PNG\r\n\x1a\n" * 40])
def test_what_is_no_checkpoint(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(T3DError, match=rf"{name} is no checkpoint or is damaged \({len(content)} bytes\)"):
        read_state(tmp_path / name)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", ["x.pt", "x.safetensors"])
def test_truncated_checkpoints(tmp_path, name, share):
    path = tmp_path / name
    torch.save(STATE, path) if path.suffix == ".pt" else safetensors.torch.save_file(STATE, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(T3DError, match="is no checkpoint or is damaged"):
        read_state(path)


def test_missing_file_foreign_objects_and_no_tensors(tmp_path):
    with pytest.raises(T3DError, match="there is no weights file"):
        read_state(tmp_path / "absent.pt")
    with pytest.raises(T3DError, match="there is no weights file"):
        read_state(tmp_path)
    torch.save({"args": argparse.Namespace(lr=1), "state_dict": STATE}, tmp_path / "args.pt")
    with pytest.raises(T3DError, match="Python objects besides tensors.*state dict alone"):
        read_state(tmp_path / "args.pt")
    for content in ({"epoch": 3}, torch.zeros(3), [STATE]):
        torch.save(content, tmp_path / "none.pt")
        with pytest.raises(T3DError, match="without a state dict"):
            read_state(tmp_path / "none.pt")
