import json
import logging
from pathlib import Path

import pytest
import torch

from t3d.errors import T3DError
from t3d.files import sha256
from t3d.weights.encoder_record import RECORD_NAME, make_record, recorded_settings, verified_record
from t3d.weights.record import compare_preprocessing, same_value

STATE = {"swinViT.patch_embed.proj.weight": torch.zeros(12, 1, 2, 2, 2), "swinViT.index": torch.arange(5)}


def write_record(folder, **changes):
    record = make_record(STATE, files={"encoder.pt": sha256(folder / "encoder.pt")}, record={})
    (folder / RECORD_NAME).write_text(json.dumps({**record, **changes}))


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "encoder.pt"
    path.write_bytes(b"abc")
    write_record(tmp_path)
    return path


def test_record_counts_and_keeps_what_it_is_given():
    record = make_record(
        STATE,
        files={"encoder.pt": "00"},
        record={
            "network": {"feature_size": 12, "drop_path_rate": 0.1},
            "preprocessing": {"spacing": 1},
            "seed": 7,
        },
    )
    assert (record["tensors"], record["parameters"], record["seed"]) == (2, 96, 7)
    assert record["network"] == {
        "backbone": "swin",
        "feature_size": 12,
        "in_channels": 1,
        "patch_size": 2,
        "drop_path_rate": 0.1,
    }
    assert record["preprocessing"] == {"spacing": 1} and record["files"] == {"encoder.pt": "00"}


def test_a_record_that_contradicts_the_weights_is_refused():
    with pytest.raises(T3DError, match="feature_size 48, but the weights have 12"):
        make_record(STATE, files={}, record={"network": {"feature_size": 48}})


def test_verified_record(weights):
    assert verified_record(weights)["tensors"] == 2
    other = weights.with_name("other.pt")
    other.write_bytes(b"x")
    assert verified_record(other) is None


def test_changed_weights_do_not_pass(weights):
    weights.write_bytes(b"abd")
    with pytest.raises(T3DError, match="sha256 a52d159f262b.*says ba7816bf8f01.*Copy both"):
        verified_record(weights)


@pytest.mark.parametrize("text", ["", "[1]", '{"format_version": 1}', '{"files": {', '"text"'])
def test_a_damaged_record_is_an_error(weights, text):
    weights.with_name(RECORD_NAME).write_text(text)
    for read in (lambda: verified_record(weights), lambda: recorded_settings(weights.parent)):
        with pytest.raises(T3DError, match="is no encoder record: .*copy it again with its weights"):
            read()


def test_a_record_of_another_format_is_an_error(weights):
    write_record(weights.parent, format_version=99)
    with pytest.raises(T3DError, match="format version 99, this t3d reads up to 2"):
        verified_record(weights)


def test_recorded_settings(weights):
    write_record(weights.parent, preprocessing={"spacing": [1, 2, 3]}, text={"max_length": 64})
    expected = {
        "backbone": "swin",
        "feature_size": 12,
        "in_channels": 1,
        "patch_size": 2,
        "spacing": [1, 2, 3],
        "max_length": 64,
    }
    assert recorded_settings(weights.parent) == expected
    assert recorded_settings(weights.parent / "nowhere") == {}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1.5, [1.5, 1.5, 1.5], True),
        ([0.75, 0.75, 1.5], (0.75, 0.75, 1.5), True),
        ([0.75, 0.75, 1.5], [0.75, 0.75, 1.501], False),
        ([-1000, 1000], [-1000, 1000, 0], False),
        ("RAS", "RAS", True),
        ("RAS", "LPS", False),
        ("RAS", 1, False),
    ],
)
def test_same_value(one, other, same):
    assert same_value(one, other) is same


def test_compare_preprocessing(caplog):
    record = {"preprocessing": {"spacing": [1, 1, 1], "hu_range": [-1000, 1000]}}
    path = Path("encoder.pt")
    compare_preprocessing(record, {"spacing": 1.0}, path=path)
    with pytest.raises(T3DError, match=r"spacing \[1, 1, 1\] there, 2.0 here"):
        compare_preprocessing(record, {"spacing": 2.0, "hu_range": [-1000, 1000]}, path=path)
    with caplog.at_level(logging.WARNING):
        compare_preprocessing(record, {"spacing": 2.0}, path=path, ignore=True)
        compare_preprocessing(None, {"orientation": "RAS"}, path=path)
    assert "spacing [1, 1, 1] there, 2.0 here (ignored as asked)" in caplog.text
    assert "does not say its orientation" in caplog.text
