import json
import pickle

import numpy as np
import pytest
import torch
from monai.transforms import Compose, CropForegroundd, Orientationd, ScaleIntensityRanged, Spacingd

pytest.importorskip("blosc2")
from prepared_cohort import prepare_small  # noqa: E402

from t3d.bundle.pretrain_steps import case_steps, view_steps  # noqa: E402
from t3d.bundle.report_side import ReportSide  # noqa: E402
from t3d.data.datalist import check_headers, load_datalist  # noqa: E402
from t3d.data.views import ViewDataset, view_loader  # noqa: E402
from t3d.errors import T3DError  # noqa: E402
from t3d.transforms.body import is_body  # noqa: E402
from t3d.transforms.crops import PairedCropsd  # noqa: E402
from t3d.transforms.lazy_volume import LazyVolumed  # noqa: E402
from t3d.transforms.windows import RandWindowsd  # noqa: E402
from t3d.volume.index import index_path  # noqa: E402
from t3d.volume.listed import is_prepared  # noqa: E402
from t3d.volume.load import LoadVolumed  # noqa: E402
from t3d.volume.store import StoredVolume  # noqa: E402

SPACING, HU = (6.0, 6.0, 6.0), (-1000, 1000)
ONE_HU = 1.0 / (HU[1] - HU[0])


@pytest.fixture(scope="module")
def pair(cohort, tmp_path_factory):
    """Raw and prepared items of the same cases."""
    folders = prepare_small(cohort, tmp_path_factory.mktemp("pair"), spacing=SPACING)
    return [load_datalist(folder / "datalist.json", "training") for folder in folders]


def plain(*, hu=HU, body=True):
    steps = [
        LoadVolumed("image"),
        Orientationd("image", axcodes="RAS"),
        Spacingd("image", pixdim=SPACING, mode="bilinear"),
        ScaleIntensityRanged("image", *hu, 0.0, 1.0, clip=True),
        CropForegroundd("image", source_key="image", select_fn=is_body, allow_smaller=True, margin=4),
    ]
    return Compose(steps if body else steps[:-1])


@pytest.mark.parametrize("hu", [HU, (-500, 700)])
def test_crops_are_those_of_the_plain_pipeline(pair, hu):
    for raw, prepared in zip(*pair, strict=True):
        whole, lazy = (
            plain(hu=hu)(raw)["image"],
            LazyVolumed(spacing=SPACING, hu_range=hu, body_level=0.2)(prepared)["image"],
        )
        assert lazy.shape == whole.shape
        for seed in range(3):
            crops = PairedCropsd(crop_size=32, view_overlap=None)
            ours, theirs = (crops.set_random_state(seed)({"image": v}) for v in (lazy, whole))
            assert torch.equal(ours["view_start"], theirs["view_start"])
            assert ours["image"].dtype == torch.float32 and ours["image"].is_contiguous()
            assert (ours["image"] - theirs["image"]).abs().max() <= 1.0 / (hu[1] - hu[0])
            assert ours["image"].std() > 0.05


def test_only_the_boxes_are_read(pair, monkeypatch):
    lazy = LazyVolumed(spacing=SPACING, hu_range=HU, body_level=0.2)(pair[1][0])
    read, real = [], StoredVolume.__getitem__
    monkeypatch.setattr(StoredVolume, "__getitem__", lambda self, box: read.append(real(self, box)) or read[-1])
    PairedCropsd(crop_size=32, num_views=3)(lazy)
    assert [part.shape for part in read] == [(32, 32, 32)] * 3


def test_windows_are_those_of_the_plain_pipeline(pair):
    whole, lazy = plain(body=False)(pair[0][1]), LazyVolumed(spacing=SPACING, hu_range=HU)(pair[1][1])
    ours, theirs = (
        RandWindowsd(crop_size=32, train_windows=4).set_random_state(5)(dict(item)) for item in (lazy, whole)
    )
    assert torch.equal(ours["window_mask"], theirs["window_mask"])
    assert (ours["image"] - theirs["image"]).abs().max() <= ONE_HU and ours["image"].std() > 0.05


def test_views_and_windows_of_one_draw_are_those_of_the_plain_pipeline(pair):
    items = [plain()(pair[0][1]), LazyVolumed(spacing=SPACING, hu_range=HU, body_level=0.2)(pair[1][1])]
    steps = view_steps(crop_size=32, view_overlap=0.5, corruption=0.0, pairs=2, text_windows=3)
    theirs, ours = (steps.set_random_state(3)(item) for item in items)
    assert torch.equal(ours["window_mask"], theirs["window_mask"]) and ours["windows"].shape == (3, 1, 32, 32, 32)
    for key in ("image", "windows"):
        assert (ours[key] - theirs[key]).abs().max() <= ONE_HU and ours[key].std() > 0.05


def test_labels_are_cut_where_the_image_is_and_may_be_absent(pair):
    preparation = {"spacing": SPACING, "orientation": "RAS", "hu_range": HU}
    reports = ReportSide(use_text=False, report_cache=False, text_encoder="none")
    crops = PairedCropsd(("image", "label"), crop_size=32, allow_missing_keys=True)
    found = []
    for prepared, items in enumerate(pair):
        steps = case_steps(preparation=preparation, reports=reports, prepared=bool(prepared), label=True)
        case = steps(items[0])
        assert case["label"].shape == case["image"].shape and "label" not in steps({**items[0], "label": None})
        found.append(crops.set_random_state(2)(case)["label"])
    raw, ours = found
    assert ours.dtype == torch.float32 and len(ours.unique()) > 5 and set(ours.unique().tolist()) <= set(range(25))
    assert (raw == ours).float().mean() > 0.999  # a voxel half-way between two of the file may go either way
    alone = case_steps(preparation=preparation, reports=reports)(pair[0][0])
    assert "label" not in alone


@pytest.mark.parametrize("workers", [0, 2])
def test_the_loader_with_workers(pair, workers):
    from t3d.data.sampling import CohortBatchSampler

    lazy = LazyVolumed(spacing=SPACING, hu_range=HU, body_level=0.2)
    items = [lazy({"case_id": i["case_id"], "image": i["image"]}) for i in pair[1]]
    items[0]["image"][0:1, :1, :1, :1]  # opened before the fork
    views = ViewDataset(items, Compose([PairedCropsd(crop_size=32)]))
    loader = view_loader(views, CohortBatchSampler(num_cases=4, batch_size=2, seed=1), num_workers=workers)
    found = torch.cat([batch["image"] for batch in loader])
    again = [views[draw]["image"] for batch in CohortBatchSampler(num_cases=4, batch_size=2, seed=1) for draw in batch]
    assert torch.equal(found, torch.stack(again).reshape(found.shape))


def test_a_volume_smaller_than_the_crop_is_padded(pair):
    whole, lazy = (
        plain()(pair[0][0])["image"],
        LazyVolumed(spacing=SPACING, hu_range=HU, body_level=0.2)(pair[1][0])["image"],
    )
    crops = PairedCropsd(crop_size=160)
    ours, theirs = (crops.set_random_state(0)({"image": v})["image"] for v in (lazy, whole))
    assert (ours - theirs).abs().max() <= ONE_HU


def test_a_volume_without_body_is_empty_as_in_the_plain_pipeline(pair):
    lazy = LazyVolumed(spacing=SPACING, hu_range=(5000, 6000), body_level=0.2)(pair[1][0])["image"]
    assert lazy.shape == (1, 0, 0, 0) and not PairedCropsd(crop_size=32)({"image": lazy})["image"].any()


def test_slices_are_those_of_an_array(pair):
    lazy = LazyVolumed(spacing=SPACING, hu_range=HU, body_level=0.2)(pair[1][0])["image"]
    whole = lazy[:]
    assert whole.shape == lazy.shape and torch.equal(lazy[:, 3:9, 4:, :5], whole[:, 3:9, 4:, :5])
    assert torch.equal(pickle.loads(pickle.dumps(lazy))[:], whole)
    assert torch.equal(lazy[:, 5:5], whole[:, 5:5])
    for wrong in (0, (slice(None), 3), (slice(None), slice(0, 9, 2))):
        with pytest.raises(IndexError, match="lazy volume"):
            lazy[wrong]


def test_loading_the_whole_volume(pair):
    raw, prepared = pair[0][2], pair[1][2]
    check_headers(pair[1])
    chain = Compose([LoadVolumed("image", spacing=SPACING, orientation="RAS"), *plain().transforms[1:]])
    ours, theirs = chain(prepared)["image"], plain()(raw)["image"]
    assert ours.shape == theirs.shape and (ours.as_tensor() - theirs.as_tensor()).abs().max() <= ONE_HU
    assert np.allclose(ours.affine, theirs.affine)


def test_another_grid_is_refused_with_both_values(pair):
    item = pair[1][0]
    words = r"spacing \[6.0, 6.0, 6.0\] mm.*asks for \[1.0, 1.0, 2.0\] mm"
    with pytest.raises(T3DError, match=f"case {item['case_id']}.*{words}"):
        LazyVolumed(spacing=(1, 1, 2), hu_range=HU)(item)
    with pytest.raises(T3DError, match=f"case {item['case_id']}.*{words}"):
        LoadVolumed("image", spacing=[1, 1, 2])(item)
    with pytest.raises(T3DError, match="orientation RAS.*asks for LPS"):
        LazyVolumed(spacing=SPACING, orientation="LPS", hu_range=HU)(item)
    datalist = index_path(item["image"]).parents[1] / "datalist.json"
    assert is_prepared(datalist, spacing=SPACING, orientation="RAS")
    with pytest.raises(T3DError, match=words):
        is_prepared(datalist, spacing=[1, 1, 2])
    assert not is_prepared(json.dumps({})) and not is_prepared(datalist.parent / "prepared.json")


def test_raw_files_and_lost_indices_are_refused(pair, tmp_path):
    lazy = LazyVolumed(spacing=SPACING, hu_range=HU, body_level=0.2)
    with pytest.raises(T3DError, match="no file of the prepared store"):
        lazy(pair[0][0])
    alone = tmp_path / "case.b2nd"
    alone.write_bytes(open(pair[1][0]["image"], "rb").read())
    damaged = {"case_id": "d", "image": str(tmp_path / "damaged.b2nd")}
    (tmp_path / "damaged.b2nd").write_bytes(alone.read_bytes()[:500])
    with pytest.raises(T3DError, match="case d: damaged.b2nd in .* is damaged"):
        check_headers([*pair[1], damaged])
    with pytest.raises(T3DError, match="hu_range is .1000, -1000."):
        LazyVolumed(spacing=SPACING, hu_range=(1000, -1000))
    with pytest.raises(T3DError, match="case.index.safetensors is missing"):
        lazy({"image": str(alone)})
