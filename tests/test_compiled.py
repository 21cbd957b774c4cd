"""``compile``: a training whose network runs compiled has the same names, files and numbers.

Traced by torch's own front ends (``aot_eager``), which take seconds; inductor turns the same graphs into kernels.
"""

import copy

import pytest
import torch
from monai.engines.utils import PrepareBatchExtraInput
from monai.utils.enums import CommonKeys as Keys

from t3d.errors import T3DError
from t3d.networks.encoders import segmentation_network
from t3d.networks.pretrain import PretrainNetwork
from t3d.train import compiled
from t3d.train.trainer import GuardedTrainer
from t3d.weights import encoder_state

SIZES = {"backbone": "segres", "feature_size": 8, "stem_stride": 4, "depths": (1, 1)}
SETTINGS = {
    **SIZES,
    "text_width": 8,
    "embedding_width": 6,
    "use_sentences": True,
    "head_norm": "none",
    "fuse_stride": 8,
}
SIDES = (32, 32, 32)


@pytest.fixture(autouse=True)
def traced(monkeypatch):
    monkeypatch.setattr(compiled, "BACKEND", "aot_eager")
    yield
    torch.compiler.reset()


def trained(network, batch, *, keys=(), loss, **options):
    """Train two steps on a batch."""
    torch.manual_seed(0)
    trainer = GuardedTrainer(
        device=torch.device("cpu"), max_epochs=1, train_data_loader=[batch, batch], epoch_length=2, network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.01), loss_function=loss, decollate=False, amp=False,
        prepare_batch=PrepareBatchExtraInput(extra_keys={key: key for key in keys}), **options,
    )  # fmt: skip
    trainer.run()
    return trainer


def same_training(network, batch, **options):
    other = copy.deepcopy(network)
    names = list(network.state_dict())
    trained(network, batch, **options)
    trained(other, batch, compile=True, **options)
    assert list(other.state_dict()) == names and list(dict(other.named_parameters())) == list(
        dict(network.named_parameters())
    )
    for name, weight in network.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], weight, rtol=1e-4, atol=1e-6, msg=name)
    return other


def test_pretraining_with_windows_that_are_encoded_again():
    """Chunks of four and two windows, the first of which is encoded again by the graph that had encoded it."""
    torch.manual_seed(0)
    network = PretrainNetwork(text_chunk=4, **SETTINGS)
    before = copy.deepcopy(network.state_dict())
    views, windows = torch.rand(2, 2, 1, *SIDES), torch.rand(3, 1, *SIDES)
    batch = {
        Keys.IMAGE: views, "corrupted": 1 - views[:, :1], "windows": windows.expand(2, -1, -1, -1, -1, -1),
        "report": torch.randn(2, 5, 8), "report_mask": torch.ones(2, 5, dtype=torch.bool),
        "said": torch.randn(2, 3, 8), "said_mask": torch.ones(2, 3, dtype=torch.bool),
        "drawn": torch.tensor([[0, 2], [1, -1]]),
    }  # fmt: skip

    def loss(output, target):
        return output["volume"][:, 0].sum() + output["restored"].square().mean() + output["anchor"][..., 0].sum()

    other = same_training(network, batch, keys=[key for key in batch if key != Keys.IMAGE], loss=loss)
    assert list(encoder_state(other)) == list(encoder_state(network))
    learnt = other.state_dict()
    assert all(not torch.equal(learnt[name], before[name]) for name in before if name.startswith("encoder.conv_init"))


def test_segmentation():
    torch.manual_seed(0)
    network = segmentation_network(**SIZES, in_channels=1, out_channels=2)
    batch = {Keys.IMAGE: torch.rand(1, 1, *SIDES), Keys.LABEL: torch.ones(1, 2, *SIDES)}
    same_training(network, batch, loss=torch.nn.functional.mse_loss)


def test_what_is_compiled_runs(monkeypatch):
    """The comparisons above would hold as well if nothing were compiled."""
    ran = []

    def backend(graph, inputs):
        ran.append(len(list(graph.graph.nodes)))
        return graph

    monkeypatch.setattr(compiled, "BACKEND", backend)
    network = PretrainNetwork(**SETTINGS)
    compiled.compile_in_place(network, device="cpu")
    with torch.no_grad():
        network(torch.rand(1, 1, *SIDES))
    assert len(ran) == 2 and ran[1] > 10  # the trial, and the encoder as one graph


def test_a_machine_that_cannot_compile_is_told_so(monkeypatch):
    def backend(graph, inputs):
        raise RuntimeError("no compiler\nwas found")

    monkeypatch.setattr(compiled, "BACKEND", backend)
    network, batch = torch.nn.Linear(2, 2), {Keys.IMAGE: torch.rand(1, 2), Keys.LABEL: torch.rand(1, 2)}
    with pytest.raises(T3DError, match=r"compile is true, but .*no compiler.*: install .* or pass --compile False"):
        trained(network, batch, loss=torch.nn.L1Loss(), compile=True)
