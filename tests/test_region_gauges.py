"""The restoration's error by region: a plain loop, cases without labels, and how labels come to the views."""

import json
import math

import pytest
import torch
from monai.data import MetaTensor

from t3d.bundle.pretrain_steps import view_steps
from t3d.data.sampling import Draw
from t3d.data.views import ViewDataset, collate_views
from t3d.errors import T3DError
from t3d.evaluate.region_gauges import Regions, region_table, summarise_regions

TABLE = {"background": 0, "liver": [4, 5], "kidney": 7, "cyst": 9}


@pytest.fixture
def regions(tmp_path):
    (tmp_path / "labels.json").write_text(json.dumps(TABLE))
    return Regions(tmp_path / "labels.json", lesion_classes=["cyst"])


def crops():
    generator = torch.Generator().manual_seed(0)
    shape = (3, 2, 1, 4, 4, 4)
    restored, clean, corrupted = (torch.rand(shape, generator=generator) for _ in range(3))
    label = torch.randint(0, 4, shape, generator=generator, dtype=torch.int16)
    label[0][label[0] == 3] = 0  # no cyst in the first case
    label[2] = -1  # no label at all
    body = torch.rand(shape, generator=generator) > 0.3
    return {"restored": restored, "clean": clean, "corrupted": corrupted, "label": label, "body": body}


def test_errors_of_regions_are_those_of_a_plain_loop(regions):
    assert regions.names == ["body", "organs", "lesions", "liver", "kidney", "cyst"]
    made = crops()
    found = regions.measure(**made)
    inside = {"organs": (1, 2), "lesions": (3,), "liver": (1,), "kidney": (2,), "cyst": (3,)}
    for place, name in enumerate(regions.names):
        for case in range(3):
            mask = made["body"][case]
            if name != "body":
                mask = sum(made["label"][case] == number for number in inside[name]).bool()
            assert found["region_voxels"][case, place] == mask.sum()
            restored, clean, corrupted = (made[key][case][mask].double() for key in ("restored", "clean", "corrupted"))
            expected = {"region_error": restored, "region_input_error": corrupted, "region_mean_error": clean.mean()}
            for key, other in expected.items():
                if mask.any():
                    assert float(found[key][case, place]) == pytest.approx(
                        float((other - clean).abs().mean()), rel=1e-9
                    )
                else:
                    assert math.isnan(found[key][case, place]), (name, key)
    assert torch.equal(regions.errors(*(made[key] for key in ("restored", "clean", "label", "body"))).nan_to_num(-1),
                       found["region_error"].nan_to_num(-1))  # fmt: skip


def test_a_region_says_what_it_stands_on(regions):
    found = regions.measure(**crops()) | {"patient": torch.tensor([1, 1, 2]), "case": torch.tensor([1, 2, 3])}
    found["region_gain"] = torch.full_like(found["region_error"], 0.001)
    summary = summarise_regions(found, regions.names)
    assert summary["body"]["cases"] == 3 and summary["liver"]["cases"] == 2 and summary["cyst"]["cases"] == 1
    assert summary["cyst"]["error"] == pytest.approx(float(found["region_error"][1, 5]))
    assert summary["cyst"]["text_gain"] == pytest.approx(0.001)
    lines = region_table(summary)
    assert len(lines) == 2 + 6 and all(line.count("|") == 8 for line in lines) and "+0.00100" in lines[-1]
    del found["region_gain"]
    without = summarise_regions(found, regions.names)
    assert "text_gain" not in without["cyst"] and region_table(without)[-1].endswith("|  |")
    found["region_voxels"][:, 5] = 0
    assert "cyst" not in summarise_regions(found, regions.names)
    assert summarise_regions({"patient": found["patient"]}, regions.names) is None


def test_a_lesion_class_that_the_table_lacks_is_refused(tmp_path):
    (tmp_path / "labels.json").write_text(json.dumps(TABLE))
    assert Regions(tmp_path / "labels.json").names == ["body", "organs", "liver", "kidney", "cyst"]
    with pytest.raises(T3DError, match="tumour are not in labels.json; its classes are liver, kidney, cyst"):
        Regions(tmp_path / "labels.json", lesion_classes=["tumour"])


@pytest.mark.parametrize(("pairs", "corrupted"), [("both", 2), (2, 2)])
def test_labels_are_cut_with_the_views_and_change_nothing_of_them(regions, pairs, corrupted):
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 50, 40, 20, generator=generator)  # padded on its last axis
    values = torch.tensor([0, 4, 5, 7, 9, 200])[torch.randint(0, 6, image.shape, generator=generator)]
    item = {"case_id": "a", "image": MetaTensor(image)}
    options = {"crop_size": 32, "view_overlap": 0.5, "corruption": 0.7, "pairs": pairs, "jitter": 1.0}
    plain = ViewDataset([item], view_steps(**options))[Draw(0, 3)]
    # an image of label values shows where the views were cut
    shown = ViewDataset([{"image": values.float()}], view_steps(**options | {"jitter": 0.0}))[Draw(0, 3)]["image"]
    labelled = ViewDataset(
        [item | {"label": MetaTensor(values.float())}, item], view_steps(**options, regions=regions)
    )
    views, absent = labelled[Draw(0, 3)], labelled[Draw(1, 3)]
    for found in (views, absent):
        assert torch.equal(found["image"], plain["image"]) and torch.equal(found["corrupted"], plain["corrupted"])
        assert found["label"].shape == found["corrupted"].shape and found["label"].dtype == torch.int16
    numbers = {0: 0, 4: 1, 5: 1, 7: 2, 9: 3, 200: 0}
    expected = shown[:corrupted].clone().apply_(lambda value: numbers[int(value)])
    assert torch.equal(views["label"].float(), expected) and (absent["label"] == -1).all()
    assert collate_views([views, absent])["label"].shape == (2, *views["label"].shape)
