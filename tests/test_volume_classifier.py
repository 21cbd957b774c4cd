import pytest
import torch
from monai.data import MetaTensor
from monai.networks.nets import SwinUNETR

from t3d.errors import T3DError
from t3d.networks.volume_classifier import VolumeClassifier
from t3d.transforms.windows import RandWindowsd
from t3d.weights import load_encoder, save_encoder


def network(**options):
    torch.manual_seed(0)
    settings = {"num_findings": 3, "feature_size": 12, "window_size": 2, "crop_size": 32, "attention_width": 8}
    module = VolumeClassifier(**{**settings, **options}).eval()
    torch.nn.init.normal_(module.pooling.weigh.weight)
    return module


def test_a_volume_is_scored_as_its_windows_by_plain_loops():
    module = network(overlap=0.5, sw_batch_size=2)
    volume = torch.rand(40, 32, 60)
    volume[:, :, 28:] = 0  # the last windows of z show air
    with torch.no_grad():
        found = module(volume[None, None])
        kept = []
        for x in (0, 8):
            for z in (0, 14, 28):
                window = volume[x : x + 32, :32, z : z + 32]
                if (window > 0.2).float().mean() >= 0.05:
                    kept.append(module.swinViT(window[None, None])[-1].mean(dim=(2, 3, 4))[0])
        assert len(kept) == 4
        features = torch.stack(kept)[None]
        expected = module.classify(features, torch.ones(1, len(kept), dtype=torch.bool))
    assert found.shape == (1, 3)
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("size", [(20, 32, 32), (10, 11, 12), (33, 40, 64), (32, 32, 32)])
def test_any_size_is_scored_and_padding_is_air(size):
    module = network()
    volume = torch.rand(1, 1, *size)
    padded = torch.zeros(1, 1, *(max(32, side) for side in size))
    padded[..., : size[0], : size[1], : size[2]] = volume
    with torch.no_grad():
        assert torch.allclose(module(volume), module(padded), atol=1e-6)


def test_windows_and_features_give_what_the_volume_gives():
    module = network(overlap=0)
    volume = torch.rand(1, 1, 64, 32, 32)
    windows = torch.stack([volume[0, 0, :32], volume[0, 0, 32:], torch.zeros(32, 32, 32)])[None]
    mask = torch.tensor([[True, True, False]])
    with torch.no_grad():
        expected = module(volume)
        assert torch.allclose(module(windows, mask=mask), expected, atol=1e-5)
        features, counted = module.window_features(volume[0, 0])
        assert features.shape == (1, 2, 192) and counted.all()
        assert torch.allclose(module(features, mask=counted), expected, atol=1e-5)
        changed = windows.clone()
        changed[0, 2] = 9.0  # what is not in the mask does not speak
        assert torch.allclose(module(changed, mask=mask), expected, atol=1e-5)


def test_a_volume_of_air_counts_all_its_windows():
    features, mask = network().window_features(torch.zeros(64, 32, 32))
    assert mask.all() and mask.shape[1] > 1 and features.abs().sum() > 0


def test_batch_size_of_windows_changes_nothing():
    volume = torch.rand(1, 1, 64, 48, 32)
    with torch.no_grad():
        one, other = (network(sw_batch_size=size)(volume) for size in (1, 5))
    assert torch.allclose(one, other, atol=1e-5)


def test_meta_tensors_come_out_plain():
    assert type(network()(MetaTensor(torch.rand(1, 1, 32, 32, 32)))) is torch.Tensor


def test_the_encoder_goes_to_and_from_monai(tmp_path):
    stock = SwinUNETR(in_channels=1, out_channels=2, feature_size=12)
    save_encoder(stock, tmp_path, record={})
    module = network(window_size=7)
    load_encoder(module, tmp_path / "encoder.pt")
    assert torch.equal(module.swinViT.patch_embed.proj.weight, stock.swinViT.patch_embed.proj.weight)


def test_gradients_reach_encoder_and_attention():
    module = network().train()
    windows, mask = torch.rand(2, 2, 32, 32, 32), torch.ones(2, 2, dtype=torch.bool)
    module(windows, mask=mask).sum().backward()
    dead = [name for name, p in module.named_parameters() if p.grad is None]
    assert dead == []


def test_wrong_inputs_are_named():
    with pytest.raises(T3DError, match=r"\(1, 2, 32, 32, 32\)"):
        network()(torch.zeros(1, 2, 32, 32, 32))
    with pytest.raises(T3DError, match="num_findings 0"):
        network(num_findings=0)
    with pytest.raises(T3DError, match="divisible by 32"):
        network(crop_size=40)


def saved_bytes(size):
    """Bytes that autograd keeps for a training step on two volumes of a size, through the data path's windows."""
    module = network(crop_size=32, overlap=0.25).train()
    draw = RandWindowsd("image", crop_size=32, train_windows=3)
    draw.set_random_state(seed=0)
    items = [draw({"image": torch.rand(1, size, size, size)}) for _ in range(2)]
    kept = 0

    def count(tensor):
        nonlocal kept
        kept += tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        module(
            torch.stack([item["image"] for item in items]), mask=torch.stack([item["window_mask"] for item in items])
        )
    return kept


def test_gradient_memory_does_not_grow_with_the_volume():
    assert 0 < saved_bytes(48) == saved_bytes(128)
