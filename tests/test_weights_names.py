from pathlib import Path

import pytest
import torch

from t3d.errors import T3DError
from t3d.weights.names import encoder_name, encoder_part

BLOCK = "layers3.0.blocks.1"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (f"swinViT.{BLOCK}.mlp.linear1.weight", f"swinViT.{BLOCK}.mlp.linear1.weight"),
        (f"swin_vit.{BLOCK}.mlp.fc1.weight", f"swinViT.{BLOCK}.mlp.linear1.weight"),
        (f"module.{BLOCK}.mlp.fc2.bias", f"swinViT.{BLOCK}.mlp.linear2.bias"),
        ("module.swinViT.patch_embed.proj.bias", "swinViT.patch_embed.proj.bias"),
        ("_orig_mod.module.model.swin_vit.patch_embed.proj.bias", "swinViT.patch_embed.proj.bias"),
        (f"module.backbone.swinViT.{BLOCK}.mlp.linear1.weight", f"swinViT.{BLOCK}.mlp.linear1.weight"),
        ("module.backbone.encoder1.layer.conv1.conv.weight", None),
        ("layers.0.blocks.0.norm1.running_mean", "encoder.layers.0.blocks.0.norm1.running_mean"),
        ("encoder.layers.4.blocks.3.conv2.weight", "encoder.layers.4.blocks.3.conv2.weight"),
        ("patch_embed.proj.weight", "swinViT.patch_embed.proj.weight"),
        ("layers1c.0.conv1.weight", "swinViT.layers1c.0.conv1.weight"),
        ("module.rotation_head.weight", None),
        ("module.contrastive_head.bias", None),
        ("convTrans3d.weight", None),
        ("decoder.mlp.fc1.weight", None),
        ("encoder10.layer.conv1.conv.weight", None),
    ],
)
def test_encoder_name(found, expected):
    assert encoder_name(found) == expected


def test_encoder_part_keeps_tensors_and_lists_the_rest():
    state = {"module.patch_embed.proj.bias": torch.ones(2), "module.rotation_head.bias": torch.zeros(4)}
    encoder, others = encoder_part(state, path=Path("x.pt"))
    assert list(encoder) == ["swinViT.patch_embed.proj.bias"]
    assert encoder["swinViT.patch_embed.proj.bias"] is state["module.patch_embed.proj.bias"]
    assert others == ["module.rotation_head.bias"]


def test_two_encoders_in_one_file_are_refused():
    state = {"swinViT.patch_embed.proj.bias": torch.ones(2), "module.patch_embed.proj.bias": torch.ones(2)}
    with pytest.raises(T3DError, match="x.pt holds swinViT.patch_embed.proj.bias twice"):
        encoder_part(state, path=Path("x.pt"))
