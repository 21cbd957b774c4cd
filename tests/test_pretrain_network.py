import pytest
import torch
from monai.networks.nets import SwinUNETR

from t3d.errors import T3DError
from t3d.networks.pretrain import PretrainNetwork


def build(**options):
    torch.manual_seed(0)
    settings = {"feature_size": 12, "window_size": 2, "text_width": 8, "embedding_width": 16} | options
    return PretrainNetwork(**settings).eval()


def texts(rows=3, tokens=5):
    report = torch.randn(rows, tokens, 8, generator=torch.Generator().manual_seed(1))
    return {"report": report, "report_mask": torch.ones(rows, tokens, dtype=torch.bool)}


def views(rows=3, seed=0):
    return torch.rand(rows, 2, 1, 32, 32, 32, generator=torch.Generator().manual_seed(seed))


def test_image_alone_gives_unit_volume_embeddings():
    network = build()
    single = network(views()[:, 0])
    assert single.shape == (3, 16)
    assert torch.allclose(single.norm(dim=1), torch.ones(3))
    both = network(views())
    mean = torch.nn.functional.normalize(network(views()[:, 0]) + network(views()[:, 1]), dim=1)
    assert torch.allclose(both, mean, atol=1e-5)


def test_encoder_is_swin_unetr_with_the_same_names_and_output():
    network = build()
    stock = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, window_size=2).eval()
    result = stock.load_state_dict(network.state_dict(), strict=False)
    assert not [key for key in result.missing_keys if key.startswith("swinViT.")]
    crop = views()[:, 0]
    assert torch.equal(stock.swinViT(crop)[-1], network.encode(crop.unsqueeze(1))[:, 0])


@pytest.mark.parametrize(
    ("candidates", "shape"), [("image", (3, 2, 16)), ("own_report", (3, 2, 16)), ("shared_report", (3, 3, 2, 16))]
)
def test_training_output_shapes(candidates, shape):
    output = build(candidates=candidates, use_alignment=True)(views(), corrupted=views(seed=1), **texts())
    assert output["anchor"].shape == (3, 2, 16)
    assert output["candidate"].shape == shape
    assert output["restored"].shape == output["clean"].shape == (3, 2, 1, 32, 32, 32)
    assert output["volume"].shape == output["report"].shape == (3, 16)


def test_image_candidates_do_not_depend_on_any_report():
    network, image, corrupted = build(), views(), views(seed=1)
    right = network(image, corrupted=corrupted, **texts())
    swapped = {key: value.flip(0) for key, value in texts().items()}
    wrong = network(image, corrupted=corrupted, **swapped)
    assert torch.equal(right["candidate"], wrong["candidate"])
    assert not torch.allclose(right["anchor"], wrong["anchor"])
    assert not torch.allclose(right["restored"], wrong["restored"])


def test_shared_report_candidates_are_each_fused_with_the_anchors_report():
    network, image, text = build(candidates="shared_report"), views(), texts()
    output = network(image, corrupted=views(seed=1), **text)
    clean = network.tokens(image)
    for anchor in range(3):
        for candidate in range(3):
            for view in range(2):
                fused = network.fusion(
                    clean[candidate, view][None], text["report"][anchor][None], text["report_mask"][anchor][None]
                )
                expected = network.image_head(fused.mean(dim=1))[0]
                assert torch.allclose(output["candidate"][anchor, candidate, view], expected, atol=1e-5)


def test_hidden_tokens_are_not_read():
    network, text = build(), texts()
    text["report_mask"][:, 3:] = False
    one = network(views(), corrupted=views(seed=1), **text)["anchor"]
    text["report"][:, 3:] = 99.0
    assert torch.allclose(one, network(views(), corrupted=views(seed=1), **text)["anchor"])


def test_twin_ignores_reports_and_shares_the_vision_side():
    twin = build(use_text=False)
    with_text = twin(views(), corrupted=views(seed=1), **texts())
    without = twin(views(), corrupted=views(seed=1))
    assert torch.equal(with_text["anchor"], without["anchor"])
    assert {name for name in build().state_dict() if not name.startswith("fusion")} == set(twin.state_dict())


def test_every_parameter_is_trained():
    from t3d.losses.pretrain import PretrainLoss

    for candidates in ("image", "own_report", "shared_report"):
        network = build(candidates=candidates, use_alignment=True)
        output = network(views(), corrupted=views(seed=1), **texts())
        PretrainLoss(alignment_weight=1.0)(output).backward()
        assert [name for name, p in network.named_parameters() if p.grad is None] == []
        assert set(output["losses"]) == {"contrast", "restoration", "alignment"}


def test_text_map_is_one_value_per_token():
    for alignment in (False, True):
        network = build(use_alignment=alignment)
        values = network.text_map(torch.rand(1, 1, 64, 32, 96), **{k: v[:1] for k, v in texts().items()})
        assert values.shape == (1, 1, 2, 1, 3)
        assert values.std() > 0


def test_faults_are_named():
    with pytest.raises(T3DError, match="divisible by 32"):
        build()(torch.rand(1, 1, 40, 32, 32))
    with pytest.raises(T3DError, match="batch has no report"):
        build()(views(), corrupted=views())
    with pytest.raises(T3DError, match="choose one of image, shared_report, own_report"):
        build(candidates="text")
    with pytest.raises(T3DError, match="use_text is false"):
        build(use_text=False, use_alignment=True)
    with pytest.raises(T3DError, match="--report_cache True"):
        build()(
            views(), corrupted=views(), report=torch.ones(3, 5, dtype=torch.long), report_mask=texts()["report_mask"]
        )
    with pytest.raises(T3DError, match="feature_size 20"):
        build(feature_size=20)
