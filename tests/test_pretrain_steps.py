"""What a draw of the pre-training gives: ordered pairs, windows, sentences; and the old recipe, to the last bit."""

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose
from tiny_text import REPORTS, cases, make_encoder

from t3d.bundle.pretrain_steps import view_steps
from t3d.bundle.report_side import ReportSide
from t3d.data.sampling import CohortBatchSampler, Draw
from t3d.data.views import ViewDataset, collate_views, view_loader
from t3d.errors import T3DError
from t3d.reports.sentence_counts import SentenceCounts

OLD = {"crop_size": 32, "view_overlap": 0.5, "corruption": 0.7}
NEW = {**OLD, "pairs": 2, "jitter": 1.0, "text_windows": 3, "text_sentences": 2}

# Made with the steps of version 0.1 (commit 5506064): places, visible tokens, means of corrupted views, four voxels.
GOLDEN = [
    (None, Draw(0, 7), [[31, 9, 0], [36, 5, 8]], [1] * 9, [0.500732, 0.501069],
     [0.926134, 0.48397, 0.502971, 0.886965, 0.496045, 0.043485, 0.372399, 0.222482]),
    (None, Draw(0, 8, (0.5, 0.25, 0.75)), [[19, 5, 6], [19, 5, 0]], [1] * 9, [0.499491, 0.50156],
     [0.042336, 0.054989, 0.570712, 0.162309, 0.014281, 0.058318, 0.250604, 0.301058]),
    (2, Draw(0, 7), [[31, 9, 0], [36, 5, 8]], [1, 0, 0, 0, 0, 1, 1, 1, 1], [0.499963, 0.50122],
     [0.952088, 0.291556, 0.244828, 0.895289, 0.654424, 0.16447, 0.006802, 0.762787]),
    (2, Draw(0, 8, (0.5, 0.25, 0.75)), [[19, 5, 6], [19, 5, 0]], [1, 0, 0, 1, 1, 0, 0, 1, 1], [0.500767, 0.502494],
     [0.555763, 0.380809, 0.21394, 0.574341, 0.33378, 0.040435, 0.447272, 0.00759]),
]  # fmt: skip


def plain_item():
    generator = torch.Generator().manual_seed(0)
    return {
        "case_id": "a",
        "image": torch.rand(1, 70, 50, 40, generator=generator),
        "report_mask": torch.ones(9, dtype=torch.bool),
        "report_sentence": torch.tensor([-1, 0, 0, 1, 1, 2, 2, 3, -1]),
    }


@pytest.mark.parametrize(("sentences", "draw", "places", "visible", "means", "voxels"), GOLDEN)
def test_the_old_recipe_draws_what_it_drew(sentences, draw, places, visible, means, voxels):
    for options in ({}, {"pairs": "both", "jitter": 0.0, "text_windows": 0, "text_sentences": 0}):
        found = ViewDataset([plain_item()], view_steps(**OLD, sentences=sentences, **options))[draw]
        assert sorted(found) == sorted([*plain_item(), "corrupted", "view_start"])
        assert found["view_start"].tolist() == places and found["report_mask"].int().tolist() == visible
        assert found["corrupted"].double().flatten(1).mean(dim=1).tolist() == pytest.approx(means, abs=1e-6)
        assert found["corrupted"][:, 0, 3, 5, :4].flatten().tolist() == pytest.approx(voxels, abs=1e-6)


def test_one_ordered_pair_is_the_old_views_with_one_corrupted():
    both, ordered = (ViewDataset([plain_item()], view_steps(**OLD, pairs=p))[Draw(0, 7)] for p in ("both", 1))
    assert torch.equal(both["image"], ordered["image"]) and torch.equal(both["view_start"], ordered["view_start"])
    assert torch.equal(both["corrupted"][:1], ordered["corrupted"])


@pytest.fixture(scope="module")
def side(tmp_path_factory):
    folder = tmp_path_factory.mktemp("side")
    made = ReportSide(
        use_text=True, report_cache=True, text_encoder=make_encoder(folder), max_tokens=64,
        cache_dir=folder / "cache", use_sentences=True,
    )  # fmt: skip
    made.precompute(reported())
    return made


# one sentence only, nothing that can be asked, and nothing that the encoder reads
REPORTED = [*REPORTS, "The lungs are clear.", "IMPRESSION: Unchanged since the prior CT.", "右肺结节。"]


def reported():
    return cases(REPORTED)


def data(side):
    prepare = Compose(side.steps)
    generator = torch.Generator().manual_seed(1)
    images = [MetaTensor(torch.rand(1, 60, 40 + n, 20, generator=generator) * 0.5 + 0.3) for n in range(7)]
    return [prepare({**case, "image": image}) for case, image in zip(reported(), images, strict=True)]


def batch(side, seed=0, **options):
    views = ViewDataset(data(side), view_steps(**{**NEW, **options}))
    return collate_views([views[Draw(case, seed + case)] for case in range(7)])


def test_a_batch_has_the_names_and_shapes_that_the_network_reads(side):
    found = batch(side)
    assert found["image"].shape == (7, 4, 1, 32, 32, 32) and found["corrupted"].shape == (7, 2, 1, 32, 32, 32)
    assert found["windows"].shape == (7, 3, 1, 32, 32, 32) and found["window_mask"].shape == (7, 3)
    assert found["said"].shape == (7, 5, 32) and found["said"].dtype == torch.float32
    assert found["said_mask"].dtype == found["window_mask"].dtype == torch.bool
    assert found["said_mask"].sum(dim=1).tolist() == [4, 4, 5, 3, 1, 1, 0]
    assert found["drawn"].shape == (7, 2) and found["drawn"].dtype == torch.int64
    assert not {"said_weight", "matched_position"} & set(found)
    assert not any(isinstance(value, MetaTensor) for value in found.values())


def test_what_is_drawn_is_asked_and_the_rest_is_minus_one(side):
    found = batch(side)
    #         one of the impression,     two,     one,   the only one, none to ask, none that is read
    assert found["drawn"].tolist() == [[3, -1], [3, -1], [3, 4], [2, -1], [0, -1], [-1, -1], [-1, -1]]
    assert batch(side, text_sentences=1)["drawn"].tolist()[3:] == [[2], [0], [-1], [-1]]
    one = {batch(side, seed, text_sentences=1)["drawn"][2].item() for seed in range(10)}
    assert one == {3, 4}, "every sentence gets its turn"


def test_padding_of_sentences_is_masked_zeros(side):
    found = batch(side)
    assert (found["said"][~found["said_mask"]] == 0).all() and found["said"][found["said_mask"]].any(dim=1).all()
    alone = collate_views([ViewDataset(data(side), view_steps(**NEW))[Draw(6, 0)]])
    assert alone["said"].shape == (1, 1, 32) and not alone["said_mask"].any(), "a batch has a row of sentences always"


def test_jitter_windows_and_sentences_leave_the_old_draws_alone(side):
    bare = batch(side, jitter=0.0, text_windows=0, text_sentences=0, sentences=1)
    full = batch(side, sentences=1)
    assert torch.equal(bare["view_start"], full["view_start"])
    assert torch.equal(bare["report_mask"], full["report_mask"])
    unjittered = batch(side, jitter=0.0, sentences=1)
    for key in ("image", "corrupted", "view_start", "report_mask"):
        assert torch.equal(bare[key], unjittered[key])
    assert not torch.equal(full["image"], unjittered["image"])


def test_views_are_restored_to_what_was_corrupted(side):
    found = batch(side, corruption=0.0)
    assert torch.equal(found["corrupted"], found["image"][:, :2]), "jitter comes before corruption"


def test_windows_are_of_the_whole_volume_and_jittered_softly(side):
    plain, jittered = batch(side, jitter=0.0), batch(side)
    counted = jittered["window_mask"]
    assert counted.any(dim=1).all() and plain["window_mask"].any(dim=1).all()
    for case, item in enumerate(data(side)):
        window = plain["windows"][case, 0, 0, :, :, :20]
        pieces = item["image"].as_tensor()[0].unfold(0, 32, 1).unfold(1, 32, 1).movedim(2, -1)
        assert (pieces == window).flatten(2).all(dim=2).any(), "the window lies somewhere in the volume"
        assert not plain["windows"][case, 0, 0, :, :, 20:].any(), "a volume smaller than a window is padded"
    # brightness alone: v a + b with a in .95 .. 1.05 and b in -.02 .. .02
    volume, air = jittered["windows"][counted][..., :20], jittered["windows"][counted][..., 20:]
    assert 0.3 * 0.95 - 0.02 <= volume.min() and volume.max() <= 0.8 * 1.05 + 0.02
    assert air.max() <= 0.02 and (air.flatten(1) == air.flatten(1)[:, :1]).all() and len(air.unique()) > 3


def epoch(side, num_workers, num_cases=7):
    sampler = CohortBatchSampler(num_cases, batch_size=3, seed=2, matched_position=0.5)
    views = ViewDataset(data(side), view_steps(**NEW, sentences=2))
    return list(view_loader(views, sampler, num_workers=num_workers))


def test_workers_change_nothing(side):
    for alone, with_worker in zip(epoch(side, 0), epoch(side, 1), strict=True):
        assert alone.keys() == with_worker.keys()
        for key, value in alone.items():
            assert (
                torch.equal(value, with_worker[key]) if isinstance(value, torch.Tensor) else value == with_worker[key]
            )


def test_a_draw_depends_on_nothing_before_it(side):
    items = data(side)
    before = {key: value.clone() for key, value in items[2].items() if isinstance(value, torch.Tensor)}
    views = ViewDataset(items, view_steps(**NEW, sentences=2))
    first = views[Draw(2, 5)]
    views[Draw(0, 9, (0.1, 0.2, 0.3))]
    again, other = views[Draw(2, 5)], views[Draw(2, 6)]
    for key in ("image", "corrupted", "windows", "drawn", "report_mask"):
        assert torch.equal(first[key], again[key])
    assert not torch.equal(first["windows"], other["windows"]) and not torch.equal(first["image"], other["image"])
    assert all(torch.equal(items[2][key], value) for key, value in before.items()), "cached items are left alone"


def test_what_few_say_is_drawn_more_often(side):
    text = "IMPRESSION: Enlarged heart. Left kidney cyst."
    step = side.steps[0]
    kept, step.features.counts = step.features.counts, SentenceCounts()
    try:
        even = step({"report": text, "case_id": "x"})["said_weight"]
        number = step.features._number("Enlarged heart.")
        step.features.counts = SentenceCounts([(number, 16)])
        item = step({"report": text, "case_id": "x"})
    finally:
        step.features.counts = kept
    assert even.tolist() == [1, 1] and item["said_weight"].tolist() == [0.25, 1]
    views = ViewDataset([{**plain_item(), **item}], view_steps(**OLD, text_sentences=1))
    drawn = [views[Draw(0, seed)]["drawn"].item() for seed in range(200)]
    assert 20 <= drawn.count(0) <= 60  # a fifth of 200


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"pairs": 0}, "pairs is 0"),
        ({"pairs": "three"}, "pairs is 'three'"),
        ({"pairs": 1.5}, "pairs is 1.5"),
        ({"pairs": True}, "pairs is True"),
        ({"jitter": -1}, "jitter is -1"),
        ({"text_windows": -1}, "-1"),
        ({"text_sentences": -2}, "text_sentences is -2"),
    ],
)
def test_impossible_options_are_refused(options, told):
    with pytest.raises(T3DError, match=told):
        view_steps(**OLD, **options)
