import pytest
import torch
from monai.networks.nets import SwinUNETR

from t3d.weights.architecture import architecture, mismatch, settings_that_differ


def encoder(**settings):
    network = SwinUNETR(out_channels=2, **settings)
    return {name: tensor for name, tensor in network.state_dict().items() if name.startswith("swinViT.")}


@pytest.mark.parametrize(
    "settings",
    [
        {"in_channels": 1, "feature_size": 12, "window_size": 7, "depths": [2, 2, 2, 2]},
        {"in_channels": 4, "feature_size": 24, "window_size": 4, "depths": [1, 2, 3, 1]},
        {"in_channels": 1, "feature_size": 12, "window_size": 8, "depths": [2, 2, 2, 2], "spatial_dims": 2},
    ],
)
def test_architecture_is_read_from_the_shapes(settings):
    found = architecture(encoder(**settings))
    settings.pop("spatial_dims", None)
    assert found == {"backbone": "swin", **settings, "patch_size": 2, "num_heads": [3, 6, 12, 24]}


def test_architecture_of_unfamiliar_weights_is_empty():
    assert architecture({"swinViT.something": torch.zeros(3)}) == {}


def test_mismatch_counts_and_names():
    found = {
        "same": torch.zeros(2),
        "wide": torch.zeros(3),
        **{f"extra{i}": torch.zeros(1) for i in range(5)},
    }
    expected = {"same": torch.ones(2), "wide": torch.zeros(4), "lost": torch.zeros(1)}
    assert mismatch(found, expected) == (
        "1 missing (lost); 5 unexpected (extra0, extra1, extra2, and 2 more); "
        "1 of another shape (wide (3,) in the file, (4,) in the network)"
    )
    assert mismatch(expected, expected) is None


def test_settings_that_differ():
    narrow = encoder(in_channels=1, feature_size=12, window_size=4)
    wide = encoder(in_channels=1, feature_size=24, window_size=7)
    assert settings_that_differ(narrow, wide) == {"feature_size": (12, 24), "window_size": (4, 7)}
