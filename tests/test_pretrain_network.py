import pytest
import torch
from monai.networks.nets import SwinUNETR

from t3d.errors import T3DError
from t3d.losses.pretrain import PretrainLoss
from t3d.networks.pretrain import PretrainNetwork
from t3d.networks.text_map import text_map


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
    deepest = build(fuse_stride=None)
    assert torch.equal(stock.swinViT(crop)[-1], deepest.encode(crop.unsqueeze(1))[:, 0])


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
                expected = network.image_head(torch.cat([fused.mean(dim=1), fused.amax(dim=1)], dim=1))[0]
                # of two views each is the candidate of the other
                assert torch.allclose(output["candidate"][anchor, candidate, 1 - view], expected, atol=1e-5)


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
    vision = {name for name in build().state_dict() if not name.startswith(("fusion", "text_scale"))}
    assert vision == set(twin.state_dict())


def quads(rows=3, seed=0):
    return torch.rand(rows, 4, 1, 32, 32, 32, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_ordered_pairs_read_the_corrupted_first_half_and_look_for_the_clean_second():
    for options, text in (({}, texts()), ({"use_text": False}, {})):
        network, image, corrupted = build(**options), quads(), views(seed=1)
        output = network(image, corrupted=corrupted, **text)
        assert output["anchor"].shape == output["candidate"].shape == (3, 2, 16)
        assert torch.equal(output["clean"], image[:, :2]) and torch.equal(output["corrupted"], corrupted)
        assert output["restored"].shape == corrupted.shape
        plain, fused = network.tokens(image[:, 2:]), network.tokens(corrupted)
        assert plain.shape[2:] == (8, 96)  # of 32^3 at stride 16
        if text:
            fused = torch.stack(
                [network.fusion(fused[:, pair], text["report"], text["report_mask"]) for pair in (0, 1)], dim=1
            )
        pooled = [torch.cat([one.mean(dim=2), one.amax(dim=2)], dim=-1) for one in (fused, plain)]
        assert torch.allclose(output["anchor"], network.anchor_head(pooled[0]), atol=1e-5)
        assert torch.allclose(output["candidate"], network.image_head(pooled[1]), atol=1e-5)
        assert not torch.allclose(network.anchor_head(pooled[1]), network.image_head(pooled[1]), atol=1e-2)
        other = image.clone()
        other[:, :2] = 0
        assert torch.equal(network(other, corrupted=corrupted, **text)["restored"], output["restored"])


def test_a_pre_norm_fusion_is_a_transformers_block():
    network, text = build(), texts()
    fusion, tokens = network.fusion, torch.randn(3, 4, 96)
    report = fusion.report_norm(text["report"])
    read = tokens + fusion.attention(fusion.norm(tokens), report, report)[0]
    norm, first, act, second = fusion.perceptron
    assert first.out_features == 2 * 96
    expected = read + second(act(first(norm(read))))
    assert torch.allclose(fusion(tokens, **text), expected, atol=1e-5)
    with pytest.raises(T3DError, match="fusion_norm 'middle'"):
        build(fusion_norm="middle")


def sentences(rows=3, seed=2):
    generator = torch.Generator().manual_seed(seed)
    return {
        "windows": torch.rand(rows, 3, 1, 32, 32, 32, generator=generator),
        "window_mask": torch.tensor([[True, True, False]]).expand(rows, -1),
        "said": torch.randn(rows, 4, 8, generator=generator),
        "said_mask": torch.ones(rows, 4, dtype=torch.bool),
        "drawn": torch.tensor([[2, 0], [3, -1], [-1, -1]])[:rows],
    }


@torch.no_grad()
def test_volumes_are_asked_for_drawn_sentences():
    network, asked = build(use_sentences=True), sentences()
    output = network(views(), corrupted=views(seed=1), **texts(), **asked)
    assert output["owner"].tolist() == [0, 0, 1, -1, -1, -1]
    for place, (volume, row) in enumerate([(0, 2), (0, 0), (1, 3)]):
        assert torch.equal(output["spoken"][place], asked["said"][volume, row])
    assert torch.allclose(output["sentence"], network.embed_sentence(output["spoken"]))
    counted = network(asked["windows"][:, :2])
    assert torch.allclose(output["volume"], counted, atol=1e-5)
    assert torch.allclose(output["volume"].norm(dim=1), torch.ones(3)) and counted.shape == (3, 16)
    # no report can reach the volume
    other = network(
        views(), corrupted=views(seed=1), **{key: value.flip(0) for key, value in texts().items()}, **asked
    )
    assert torch.equal(output["volume"], other["volume"])


@torch.no_grad()
@pytest.mark.parametrize("standardise", [True, False])
def test_sentences_are_compared_as_they_are_standardised(standardise):
    network, asked = build(use_sentences=True, standardise_text=standardise), sentences()
    centre = asked["said"].flatten(0, 1).mean(dim=0)
    if standardise:
        network.text_scale.sentence_centre.copy_(centre)
        network.text_scale.sentence_scale.fill_(2.0)
    output = network(views(), corrupted=views(seed=1), **texts(), **asked)
    expected = (asked["said"] - centre) / 2 if standardise else asked["said"]
    torch.testing.assert_close(output["said"], expected)
    torch.testing.assert_close(output["spoken"][1], expected[0, 0])
    raw = asked["said"][0, 0].unsqueeze(0)
    torch.testing.assert_close(output["sentence"][1:2], network.embed_sentence(raw))


def test_places_without_a_sentence_are_not_asked():
    network = build(use_sentences=True, use_contrast=False, use_restoration=False)
    asked = sentences()
    losses = []
    for drawn in ([[2, 0], [3, -1], [-1, -1]], [[2, 0, -1], [-1, 3, -1], [-1, -1, -1]]):
        output = network(views(), **asked | {"drawn": torch.tensor(drawn)})
        losses.append(float(PretrainLoss(**SENTENCES)(output).detach()))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5) and losses[0] > 0


SENTENCES = {"contrast_weight": 0.0, "restoration_weight": 0.0, "sentence_weight": 1.0}
RECIPES = {
    "contrast": ({"use_restoration": False}, {"restoration_weight": 0.0}),
    "restoration": ({"use_contrast": False}, {"contrast_weight": 0.0}),
    "sentences": ({"use_contrast": False, "use_restoration": False, "use_sentences": True}, SENTENCES),
    "all": ({"use_sentences": True, "use_alignment": True}, {"sentence_weight": 1.0, "alignment_weight": 1.0}),
    "twin": ({"use_text": False}, {}),
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_trains_every_parameter_it_has(recipe):
    """What DistributedDataParallel asks for, which would wait for gradients that never come."""
    options, weights = RECIPES[recipe]
    network = build(**options).train()
    step = texts() | (sentences() if network.use_sentences else {}) if network.use_text else {}
    if recipe != "sentences":
        step["corrupted"] = views(seed=1)
    output = network(quads(), **step)
    PretrainLoss(**weights)(output).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []
    assert all(float(part) > 0 for part in output["losses"].values())
    assert set(output["losses"]) == {name for name, weight in PretrainLoss(**weights).weights.items() if weight}


def test_sentences_alone_encode_no_view_and_restoration_alone_no_clean_one():
    seen = []
    for recipe, step in (("sentences", sentences()), ("restoration", {"corrupted": views(seed=1)})):
        network = build(**RECIPES[recipe][0]).train()
        network.vision.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[0]))
        network(quads(), corrupted=views(seed=1), **texts(), **{k: v for k, v in step.items() if k != "corrupted"})
    assert seen == [4, 4, 1, 6]  # nine windows, four at once; two corrupted crops of three volumes


def test_losses_are_single_precision_under_autocast():
    network = build(use_sentences=True, use_alignment=True).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = network(quads(), corrupted=views(seed=1), **texts(), **sentences())
        loss = PretrainLoss(sentence_weight=1.0, alignment_weight=1.0)(output)
    assert {part.dtype for part in output["losses"].values()} == {torch.float32}
    assert {output[key].dtype for key in ("anchor", "candidate", "volume", "sentence")} == {torch.float32}
    loss.backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


def test_losses_name_the_switch_of_a_network_that_lacks_a_part():
    output = build(use_contrast=False)(quads(), corrupted=views(seed=1), **texts())
    with pytest.raises(T3DError, match="the weight of contrast is set but .* use_contrast true"):
        PretrainLoss()(output)
    with pytest.raises(T3DError, match="the weight of sentences is set"):
        PretrainLoss(contrast_weight=0, sentence_weight=1)(output)
    with pytest.raises(T3DError, match="one must be above it"):
        PretrainLoss(contrast_weight=0, restoration_weight=0)
    with pytest.raises(T3DError, match="none may be below 0"):
        PretrainLoss(alignment_weight=-1)


def test_every_parameter_is_trained():
    for candidates in ("image", "own_report", "shared_report"):
        network = build(candidates=candidates, use_alignment=True)
        output = network(views(), corrupted=views(seed=1), **texts())
        PretrainLoss(alignment_weight=1.0)(output).backward()
        assert [name for name, p in network.named_parameters() if p.grad is None] == []
        assert set(output["losses"]) == {"contrast", "restoration", "alignment"}


def test_text_map_is_one_value_per_token():
    for options in ({}, {"use_alignment": True}, {"use_sentences": True}):
        network = build(**options)
        values = text_map(network, torch.rand(1, 1, 64, 32, 96), **{k: v[:1] for k, v in texts().items()})
        assert values.shape == (1, 1, 4, 2, 6)
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
    with pytest.raises(T3DError, match="use_sentences true needs reports"):
        build(use_text=False, use_sentences=True)
    with pytest.raises(T3DError, match="give said, said_mask and drawn"):
        build(use_sentences=True)(views(), corrupted=views(), windows=views(), **texts())
    with pytest.raises(T3DError, match="--report_cache True"):
        build()(
            views(), corrupted=views(), report=torch.ones(3, 5, dtype=torch.long), report_mask=texts()["report_mask"]
        )
    with pytest.raises(T3DError, match="feature_size 20"):
        build(feature_size=20)
