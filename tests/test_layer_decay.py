import pytest
import torch
from monai.networks.nets import SegResNetDS, SwinUNETR

from t3d.errors import T3DError
from t3d.train.fine_tuning import parameter_groups


def test_rates_fall_towards_the_input_and_every_parameter_is_there_once():
    network = SwinUNETR(in_channels=1, out_channels=2, feature_size=12)
    groups = parameter_groups(network, learning_rate=0.1, layer_decay=0.5, weight_decay=0.01)
    assert [group["lr"] for group in groups] == pytest.approx([0.1 * 0.5**power for power in (5, 4, 3, 2, 1, 0)])
    rate = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    assert len(rate) == sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    assert rate[id(network.swinViT.patch_embed.proj.weight)] == pytest.approx(0.1 / 32)
    assert rate[id(network.swinViT.layers4[0].blocks[0].attn.qkv.weight)] == pytest.approx(0.05)
    assert rate[id(network.out.conv.conv.weight)] == pytest.approx(0.1)
    second = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, use_v2=True)
    groups = parameter_groups(second, learning_rate=0.1, layer_decay=0.5, weight_decay=0.01)
    rate = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    first = next(iter(second.swinViT.layers1c.parameters()))
    assert rate[id(first)] == pytest.approx(0.1 / 16)


def test_stages_of_a_convolutional_encoder_are_told_apart():
    network = SegResNetDS(in_channels=1, out_channels=2, init_filters=4, blocks_down=(1, 2, 2, 4, 4))
    groups = parameter_groups(network, learning_rate=0.1, layer_decay=0.5, weight_decay=0.01)
    assert [group["lr"] for group in groups] == pytest.approx([0.1 * 0.5**power for power in (6, 5, 4, 3, 2, 1, 0)])
    rate = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    assert len(rate) == sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    assert rate[id(network.encoder.conv_init.weight)] == pytest.approx(0.1 / 64)
    for stage in range(5):
        block = network.encoder.layers[stage]["blocks"][0].conv1.weight
        assert rate[id(block)] == pytest.approx(0.1 * 0.5 ** (5 - stage))
    assert rate[id(network.up_layers[0]["upsample"].deconv.weight)] == pytest.approx(0.1)


def test_a_part_outside_of_the_encoder_learns_at_a_rate_of_its_own():
    network = SegResNetDS(in_channels=1, out_channels=2, init_filters=4, blocks_down=(1, 2, 2, 4, 4))
    settings = {"learning_rate": 0.1, "layer_decay": 0.5, "weight_decay": 0.01}
    plain = parameter_groups(network, **settings)
    ones = parameter_groups(network, **settings, rates={"up_layers.": 1.0})
    assert [len(group["params"]) for group in ones] == [len(group["params"]) for group in plain]
    groups = parameter_groups(network, **settings, rates={"up_layers.": 3.0, "encoder.": 7.0})
    rate = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    assert len(rate) == sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    assert all(rate[id(parameter)] == pytest.approx(0.3) for parameter in network.up_layers.parameters())
    others = [parameter for group in plain for parameter in group["params"]]
    heads = {id(parameter) for parameter in network.up_layers.parameters()}
    old = {id(parameter): group["lr"] for group in plain for parameter in group["params"]}
    assert all(rate[id(one)] == old[id(one)] for one in others if id(one) not in heads)


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(T3DError, match="layer_decay 1.5"):
        parameter_groups(torch.nn.Linear(1, 1), learning_rate=1, layer_decay=1.5, weight_decay=0)
    with pytest.raises(T3DError, match="no encoder named swinViT or encoder: layer_decay"):
        parameter_groups(torch.nn.Linear(1, 1), learning_rate=1, layer_decay=0.5, weight_decay=0)
