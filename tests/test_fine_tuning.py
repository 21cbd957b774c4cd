import logging

import pytest
import torch
from ignite.engine import Engine, Events
from monai.networks.nets import SegResNetDS, SwinUNETR

from t3d.errors import T3DError
from t3d.train.fine_tuning import FreezeEncoder, start_encoder
from t3d.weights import save_encoder

PREPROCESSING = {"spacing": [6.0, 6.0, 6.0], "orientation": "RAS", "hu_range": [-1000, 1000]}


def network(seed=0, **options):
    torch.manual_seed(seed)
    return SwinUNETR(in_channels=1, out_channels=2, feature_size=12, window_size=2, **options)


def test_start_from_an_encoder_says_what_was_loaded(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    source, target = network(), network(1)
    save_encoder(source, tmp_path, record={"preprocessing": PREPROCESSING})
    start_encoder(target, str(tmp_path / "encoder.pt"), preprocessing=PREPROCESSING)
    for name, tensor in source.swinViT.state_dict().items():
        assert torch.equal(tensor, target.swinViT.state_dict()[name])
    assert "encoder tensors from" in caplog.text and "sha256" in caplog.text
    for key, other in (("hu_range", [-160, 240]), ("spacing", [1.0, 1.0, 1.0])):
        with pytest.raises(T3DError, match=key) as caught:
            start_encoder(target, str(tmp_path / "encoder.pt"), preprocessing={**PREPROCESSING, key: other})
        assert str(PREPROCESSING[key]) in str(caught.value) and str(other) in str(caught.value)
    changed = {**PREPROCESSING, "spacing": [1.0, 1.0, 1.0]}
    start_encoder(target, str(tmp_path / "encoder.pt"), preprocessing=changed, ignore_preprocessing=True)
    with pytest.raises(T3DError, match="feature_size is 12 there and 24 here"):
        wide = SwinUNETR(in_channels=1, out_channels=2, feature_size=24, window_size=2)
        start_encoder(wide, str(tmp_path / "encoder.pt"), preprocessing=PREPROCESSING)


@pytest.mark.parametrize("nothing", [None, ""])
def test_without_weights_it_says_from_scratch(nothing, caplog):
    caplog.set_level(logging.INFO)
    start_encoder(network(), nothing, preprocessing=PREPROCESSING)
    assert "from scratch" in caplog.text


def test_the_encoder_rests_for_the_first_epochs_and_then_learns():
    model = network(dropout_path_rate=0.5)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    image = torch.rand(1, 1, 64, 64, 64)  # instance norm needs more than one voxel in the deepest map
    modes = []

    def step(engine, batch):
        model.train()
        optimizer.zero_grad()
        model(image).square().mean().backward()
        modes.append(model.swinViT.layers1[0].blocks[0].training)
        optimizer.step()

    trainer = Engine(step)
    FreezeEncoder(network=model, epochs=1).attach(trainer)
    moved = []

    @trainer.on(Events.EPOCH_STARTED)
    def remember(engine):
        engine.before = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    @trainer.on(Events.EPOCH_COMPLETED)
    def compare(engine):
        after = model.state_dict()
        changed = {name for name in after if not torch.equal(after[name], engine.before[name])}
        moved.append({name.startswith("swinViT") for name in changed})

    trainer.run([0], max_epochs=2)
    assert moved == [{False}, {True, False}]
    assert modes == [False, True]


def test_a_resting_encoder_keeps_the_running_means_of_its_norms():
    model = SegResNetDS(in_channels=1, out_channels=2, init_filters=4, blocks_down=(1, 2, 2, 4, 4), norm="batch")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    states = [{name: tensor.clone() for name, tensor in model.state_dict().items()}]

    def step(engine, batch):
        model.train()
        optimizer.zero_grad()
        model(torch.rand(1, 1, 32, 32, 32)).square().mean().backward()
        optimizer.step()
        states.append({name: tensor.clone() for name, tensor in model.state_dict().items()})

    trainer = Engine(step)
    FreezeEncoder(network=model, epochs=1).attach(trainer)
    trainer.run([0], max_epochs=2)
    for one, other, frozen in ((*states[:2], True), (*states[1:], False)):
        changed = {name.startswith("encoder.") for name in one if not torch.equal(one[name], other[name])}
        assert changed == ({False} if frozen else {True, False})


def test_zero_epochs_touch_nothing_and_negative_ones_are_refused():
    model = network()
    trainer = Engine(lambda engine, batch: None)
    FreezeEncoder(network=model, epochs=0).attach(trainer)
    trainer.run([0])
    assert all(parameter.requires_grad for parameter in model.parameters())
    with pytest.raises(T3DError, match="freeze_epochs -1"):
        FreezeEncoder(network=model, epochs=-1)
