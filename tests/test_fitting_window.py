"""The attention window of a training that was told none: one that divides its crops, or that of the weights."""

import json

import pytest
import torch
from monai.networks.nets import SwinUNETR
from step_configs import configs, parser

from t3d.errors import T3DError
from t3d.networks.fitting_window import fitting_window
from t3d.networks.swin_encoder import swin_transformer
from t3d.train.fine_tuning import start_encoder
from t3d.weights import save_encoder
from t3d.weights.start_window import start_window

PREPARED = {"spacing": [3.0] * 3, "orientation": "RAS", "hu_range": [-1000, 1000]}


@pytest.mark.parametrize(
    ("crop", "window"),
    [
        (32, 2), (64, 4), (96, 6), (128, 4), (160, 5), (192, 6), (224, 7), ([96, 96, 192], 6), ([128, 128, 64], 4),
        # sides that share no window worth its name, and what no encoder takes
        ([96, 96, 64], 7), ([96, 96, 32], 7), (352, 7), (100, 7), (0, 7),
    ],
)  # fmt: skip
def test_the_window_divides_the_grids(crop, window):
    assert fitting_window(crop) == window


@pytest.mark.parametrize("crop", [32, 64, 96])
def test_no_stage_is_padded(crop, monkeypatch):
    encoder = swin_transformer(feature_size=12, window_size=fitting_window(crop), depths=(1, 1, 1, 1)).eval()
    padded = []
    pad = torch.nn.functional.pad
    monkeypatch.setattr(
        torch.nn.functional, "pad", lambda x, pads, *a, **k: padded.append(pads) or pad(x, pads, *a, **k)
    )
    with torch.no_grad():
        encoder(torch.rand(1, 1, crop, crop, crop))
    assert padded and not any(any(pads) for pads in padded)


def network(window):
    torch.manual_seed(0)
    return SwinUNETR(in_channels=1, out_channels=2, feature_size=12, window_size=window)


def test_weights_bring_their_window(tmp_path):
    save_encoder(network(3), tmp_path / "ours", record={"preprocessing": PREPARED, "network": {"window_size": 3}})
    torch.save(network(7).state_dict(), tmp_path / "published.pt")
    assert start_window(crop_size=96) == start_window(crop_size=96, encoder_weights="") == 6
    assert start_window(crop_size=96, encoder_weights=str(tmp_path / "ours" / "encoder.pt")) == 3
    assert start_window(crop_size=96, encoder_weights=str(tmp_path / "published.pt")) == 7
    # refused where they are loaded
    assert start_window(crop_size=96, encoder_weights=str(tmp_path / "absent.pt")) == 7
    with (tmp_path / "ours" / "encoder.pt").open("ab") as file:
        file.write(b"damaged")
    assert start_window(crop_size=96, encoder_weights=str(tmp_path / "ours" / "encoder.pt")) == 7


def test_another_window_is_refused_by_name(tmp_path):
    torch.save(network(7).state_dict(), tmp_path / "published.pt")
    with pytest.raises(T3DError, match="window_size is 7 there and 6 here.*file's window_size 7"):
        start_encoder(network(6), str(tmp_path / "published.pt"), preprocessing=PREPARED)


def test_pretraining_takes_it(tmp_path):
    torch.save(network(7).state_dict(), tmp_path / "published.pt")

    def window(crop_size=96, **options):
        options = {"ckpt_dir": str(tmp_path), "crop_size": crop_size, **options}
        return parser(*configs("t3d_pretrain", "train"), options=options).get_parsed_content("window_size")

    assert window() == 6 and window(64) == 4 and window(window_size=5) == 5
    assert window(encoder_weights=str(tmp_path / "published.pt")) == 7


@pytest.mark.parametrize("bundle", ["t3d_segmentation", "t3d_classification"])
def test_downstream_it_is_that_of_published_weights(bundle, tmp_path):
    options = {"ckpt_dir": str(tmp_path), "crop_size": 96}
    assert parser(*configs(bundle, "train"), options=options).get_parsed_content("window_size") == 7


def test_a_training_that_goes_on_keeps_its_window(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps({"network": {"window_size": 3}}))
    options = {"ckpt_dir": str(tmp_path)}
    assert parser(*configs("t3d_segmentation", "train"), options=options).get_parsed_content("window_size") == 3
