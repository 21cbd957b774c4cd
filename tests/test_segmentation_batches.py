"""Segmentation's batches depend on (seed, step, place) alone, raw as annotators save them and as a cohort."""

import json

import pytest
import torch
from monai.bundle import ConfigParser
from segmentation_runs import NAMES, TINY, config_files, places


def parser_of(folder, out, **options):
    parser = ConfigParser()
    parser.read_config(config_files(*NAMES))
    quick = {"flip": 0.5, "crop_size": 32, "crops_per_case": 2, "batch_size": 2, "intensity_jitter": 0.1}
    parser.update({**places(folder, out), **TINY, **quick, **options})
    return parser


def batches(parser, epoch=1):
    parser.get_parsed_content("train#sampler").set_epoch(epoch)
    return list(parser.get_parsed_content("train#dataloader"))


def test_draws_do_not_depend_on_workers_or_on_what_was_drawn_before(few, tmp_path):
    alone = parser_of(few, tmp_path, num_workers=0)
    first, later = batches(alone, 0), batches(alone)
    cached = alone.get_parsed_content("train#dataset")[0]["image"]
    before = cached.as_tensor().clone()
    for other in (batches(alone), batches(parser_of(few, tmp_path, num_workers=2, cache_rate=0.0))):
        for one, same in zip(later, other, strict=True):
            assert one["case_id"] == same["case_id"]
            assert torch.equal(one["image"], same["image"]) and torch.equal(one["label"], same["label"])
    # three cases in batches of two, two crops of each case, which follow one another
    assert [len(batch["case_id"]) for batch in later] == [4, 2]
    assert all(batch["case_id"][::2] == batch["case_id"][1::2] for batch in later)
    assert later[0]["image"].shape == later[0]["label"].shape == (4, 1, 32, 32, 32)
    assert not torch.equal(later[0]["image"][0], later[0]["image"][1])
    assert not torch.equal(first[1]["image"], later[1]["image"])
    # the cache is what was read: neither its voxels nor its history grow with the draws
    again = alone.get_parsed_content("train#dataset")[0]["image"]
    assert torch.equal(again.as_tensor(), before) and len(again.applied_operations) == len(cached.applied_operations)
    assert len(again.applied_operations) < 5


def test_two_processes_share_the_batch_of_one(few, tmp_path):
    whole = batches(parser_of(few, tmp_path, num_workers=0), 0)[0]
    halves = []
    for rank in range(2):
        options = {"train#sampler#rank": rank, "train#sampler#world_size": 2, "world_size": 2, "batch_size": 1}
        halves.append(batches(parser_of(few, tmp_path, num_workers=0, **options), 0))
    assert [len(half) for half in halves] == [1, 1]  # the third case fills no batch of both
    joined = torch.cat([half[0]["image"] for half in halves])
    assert torch.equal(joined, whole["image"])


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_cases_of_an_annotator_are_a_batch(few, tmp_path, count):
    items = json.loads((few / "datalist.json").read_text())["training"][:count]
    given = [{key: item[key] for key in ("image", "label")} for item in items]
    options = {"train#dataset#data": given, "validate#dataset#data": [], "dataset_dir": str(tmp_path)}
    parser = parser_of(few, tmp_path, num_workers=0, **options)
    assert parser.get_parsed_content("annotating") is True
    (batch,) = batches(parser, 0)
    assert batch["image"].shape[0] == 2 * count and torch.isfinite(batch["image"]).all()
    assert all(isinstance(handler, dict) for handler in parser.config["train"]["handlers"])
