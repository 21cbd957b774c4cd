import pytest
import torch
from ignite.engine import Engine, Events
from monai.data import CacheDataset, Dataset, MetaTensor
from monai.transforms import Compose, Lambdad

from t3d.data.sampling import CohortBatchSampler, Draw
from t3d.data.views import ViewDataset, collate_views, view_loader
from t3d.transforms.corruption import RandCorruptViewsd
from t3d.transforms.crops import PairedCropsd


def prepared(number):
    generator = torch.Generator().manual_seed(number)
    image = torch.rand(1, 40, 36 + number, 33, generator=generator)
    tokens = 3 + number
    return {
        "case_id": f"c{number}",
        "image": MetaTensor(image, affine=torch.eye(4)),
        "report": torch.arange(tokens),
        "report_mask": torch.ones(tokens, dtype=torch.bool),
        "report_sentence": torch.zeros(tokens, dtype=torch.int64),
    }


def dataset(kind=Dataset):
    data = [prepared(n) for n in range(6)]
    if kind is not list:
        options = {"progress": False} if kind is CacheDataset else {}
        data = kind(data, Compose([Lambdad("image", lambda image: image * 0.5)]), **options)
    return ViewDataset(data, Compose([PairedCropsd(crop_size=32), RandCorruptViewsd()]))


def epoch(num_workers, number=1, kind=Dataset):
    sampler = CohortBatchSampler(6, batch_size=3, seed=2, matched_position=0.5)
    sampler.set_epoch(number)
    return list(view_loader(dataset(kind), sampler, num_workers=num_workers))


def equal(a, b):
    return all(torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y for x, y in zip(a, b, strict=True))


def test_batch_holds_views_of_the_drawn_cases():
    sampler = CohortBatchSampler(6, batch_size=3, seed=2)
    for draws, batch in zip(sampler, view_loader(dataset(), sampler, num_workers=0), strict=True):
        assert batch["image"].shape == batch["corrupted"].shape == (3, 2, 1, 32, 32, 32)
        assert batch["view_start"].shape == (3, 2, 3)
        assert batch["case_id"] == [f"c{d.case}" for d in draws]
        assert "matched_position" not in batch
        for number, draw in enumerate(draws):
            x, y, z = batch["view_start"][number, 0].tolist()
            source = prepared(draw.case)["image"].as_tensor() * 0.5
            expected = source[:, x : x + 32, y : y + 32, z : z + 32]
            assert torch.equal(batch["image"][number, 0], expected)


def test_workers_change_nothing():
    alone, with_workers = epoch(0), epoch(2)
    for a, b in zip(alone, with_workers, strict=True):
        assert a.keys() == b.keys() and equal(a.values(), b.values())
    assert not torch.equal(alone[0]["corrupted"], epoch(0, number=2)[0]["corrupted"])


def test_persistent_workers_follow_the_epoch():
    sampler = CohortBatchSampler(6, batch_size=3, seed=2, matched_position=0.5)
    loader = view_loader(dataset(), sampler, num_workers=1)
    for number in range(2):
        sampler.set_epoch(number)
        for a, b in zip(loader, epoch(0, number), strict=True):
            assert equal(a.values(), b.values())


@pytest.mark.parametrize("workers", [0, 1])
def test_ignite_asks_for_the_batches_after_the_epoch_was_set(workers):
    sampler = CohortBatchSampler(6, batch_size=3, seed=2)
    seen = []
    engine = Engine(lambda _, batch: seen.append(batch["case_id"]))
    engine.add_event_handler(Events.EPOCH_STARTED, lambda e: sampler.set_epoch(e.state.epoch - 1))
    engine.run(view_loader(dataset(), sampler, num_workers=workers), max_epochs=3)
    wanted = []
    for number in range(3):
        sampler.set_epoch(number)
        wanted += [[f"c{d.case}" for d in batch] for batch in sampler]
    assert seen == wanted


def test_an_item_depends_on_its_draw_alone():
    views = dataset()
    draw = Draw(1, 99)
    first = views[draw]
    views[Draw(2, 5, (0.1, 0.2, 0.3))]
    again = views[draw]
    assert equal(first.values(), again.values())
    assert not torch.equal(first["view_start"], views[Draw(1, 98)]["view_start"])


def test_matched_draws_cut_at_the_relative_place():
    views = dataset()
    for case in (0, 4):
        start = views[Draw(case, case, (1.0, 0.5, 0.0))]["view_start"][0]
        assert start.tolist() == [8, (36 + case - 32) // 2, 0]


@pytest.mark.parametrize("kind", [CacheDataset, list])
def test_cache_is_not_changed_and_gives_the_same(kind):
    views = dataset(kind)
    before = views.data[0]["image"].clone()
    first, second = views[Draw(0, 1)], views[Draw(0, 1)]
    assert equal(first.values(), second.values())
    assert torch.equal(views.data[0]["image"], before) and "matched_position" not in views.data[0]
    if kind is CacheDataset:
        assert torch.equal(first["corrupted"], dataset(Dataset)[Draw(0, 1)]["corrupted"])


def test_reports_are_padded_at_the_end():
    batch = collate_views([prepared(0) | {"image": torch.zeros(1)}, prepared(2) | {"image": torch.zeros(1)}])
    assert batch["report"].tolist() == [[0, 1, 2, 0, 0], [0, 1, 2, 3, 4]]
    assert batch["report_mask"].tolist() == [[True] * 3 + [False] * 2, [True] * 5]
    assert batch["report_sentence"].tolist() == [[0, 0, 0, -1, -1], [0] * 5]
    assert batch["report_mask"].dtype == torch.bool and batch["report"].dtype == torch.int64


def test_sentences_are_padded_to_the_longest_report():
    items = [{"said": torch.ones(n, 2), "said_mask": torch.ones(n, dtype=torch.bool)} for n in (1, 3)]
    batch = collate_views(items)
    assert batch["said"][..., 0].tolist() == [[1, 0, 0], [1, 1, 1]] and batch["said"].shape == (2, 3, 2)
    assert batch["said_mask"].tolist() == [[True, False, False], [True] * 3]


def test_a_batch_says_which_studies_are_of_one_patient():
    batch = collate_views([{"patient_id": name} for name in ("p", "q", "p")])
    assert batch["patient"].dtype == torch.int64 and batch["patient"][0] == batch["patient"][2] != batch["patient"][1]
    assert batch["patient"][0] == 0x148DE9C5A7A44D  # the same in every process and run
    assert "patient" not in collate_views([{"case_id": "p"}])


def test_cached_features_are_padded_along_tokens():
    items = [{"report": torch.ones(n, 4)} for n in (2, 3)]
    report = collate_views(items)["report"]
    assert report.shape == (2, 3, 4) and torch.all(report[0, 2] == 0) and torch.all(report[1] == 1)


def test_global_random_state_is_left_alone():
    torch.manual_seed(5)
    torch.rand(3)
    before = torch.get_rng_state()
    epoch(0)
    assert torch.equal(torch.get_rng_state(), before)
