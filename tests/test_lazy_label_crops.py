import nibabel as nib
import numpy as np
import pytest
import torch
from monai.transforms import Compose, LoadImaged, Orientationd, Spacingd, SpatialCrop, SpatialPadd

pytest.importorskip("blosc2")
from t3d.errors import T3DError  # noqa: E402
from t3d.prepare.case import prepare_case  # noqa: E402
from t3d.transforms.lazy_label_crops import LazyLabelCropsd  # noqa: E402
from t3d.volume.store import StoredVolume  # noqa: E402

SPACING = [2.0, 2.0, 2.0]
CLASSES = [[0, 9], [1], [2, 3]]


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    """One case as files and in the store: an organ, lesions of very unequal size, and a value that counts as air."""
    folder = tmp_path_factory.mktemp("case")
    image = np.random.default_rng(0).integers(-1000, 1000, (50, 44, 60)).astype(np.int16)
    label = np.zeros(image.shape, np.uint8)
    label[5:40, 10:40, 10:50] = 1
    label[10:30, 15:35, 20:40] = 2
    label[36:38, 12:14, 12:14] = 2
    label[12:14, 36:38, 44:46] = 3
    label[:3, :, :] = 9
    affine = np.diag([-2.0, 2.0, 2.0, 1])
    raw = {"case_id": "a", "image": str(folder / "a.nii"), "label": str(folder / "l.nii")}
    for key, array in (("image", image), ("label", label)):
        nib.save(nib.Nifti1Image(array, affine), raw[key])
    settings = {"spacing": SPACING, "lesion_values": [2, 3], "seed": 0}
    prepare_case(raw, folder=str(folder), out_dir=str(folder), settings=settings)
    stored = {**raw, "image": str(folder / "volumes/a.b2nd"), "label": str(folder / "labels/a.b2nd")}
    keys = ["image", "label"]
    plain = Compose(
        [
            LoadImaged(keys, ensure_channel_first=True),
            Orientationd(keys, axcodes="RAS"),
            Spacingd(keys, pixdim=SPACING, mode=["bilinear", "nearest"]),
        ]
    )(raw)
    return stored, plain


def crops(**options):
    return LazyLabelCropsd(**{"crop_size": 16, "class_values": CLASSES, "spacing": SPACING, **options})


@pytest.mark.parametrize("size", [16, (17, 20, 15), 64, (16, 64, 16)])
def test_crops_are_those_of_the_plain_pipeline(items, size):
    stored, plain = items
    transform = crops(crop_size=size, num_samples=6)
    transform.set_random_state(0)
    found = transform(stored)
    sides = np.broadcast_to(size, 3)
    padded = {"image": SpatialPadd("x", sides, value=-1000)({"x": plain["image"]})["x"]}
    padded["label"] = SpatialPadd("x", sides)({"x": plain["label"]})["x"]
    before = np.maximum(sides - plain["image"].shape[1:], 0) // 2
    assert len(found) == 6
    for crop, start in zip(found, transform.starts, strict=True):
        cut = SpatialCrop(roi_start=(start + before).tolist(), roi_end=(start + before + sides).tolist())
        for key in ("image", "label"):
            assert crop[key].shape == (1, *sides) and crop[key].dtype == torch.float32
            assert torch.equal(crop[key], cut(padded[key]).as_tensor())


def centre_values(items, transform, draws=300):
    transform.set_random_state(1)
    values = []
    for _ in range(draws):
        for crop in transform(items[0]):
            values.append(int(crop["label"][0, 0, 0, 0]))
    return np.array(values)


def test_half_the_centres_are_foreground_as_in_monai(items):
    # crops of one voxel are the centres themselves
    values = centre_values(items, crops(crop_size=1, num_samples=2))
    foreground = np.isin(values, [1, 2, 3])
    assert 0.42 < foreground.mean() < 0.58
    label = items[1]["label"]
    share = float((label == 2).sum() / ((label > 0) & (label < 9)).sum())
    assert abs((values[foreground] == 2).mean() - share) < 0.08
    air = float((label == 9).sum() / ((label == 9) | (label == 0)).sum())
    assert abs((values[~foreground] == 9).mean() - air) < 0.08


def test_classes_are_drawn_by_their_ratios(items):
    values = centre_values(items, crops(crop_size=1, num_samples=2, ratios=[0, 1, 3]))
    assert set(values) <= {1, 2, 3} and 0.68 < np.isin(values, [2, 3]).mean() < 0.82


def test_small_lesions_are_drawn_as_often_as_large_ones(items):
    places = {"plain": [], "lesions": []}
    for name, classes in (("plain", []), ("lesions", [2])):
        transform = crops(crop_size=1, ratios=[0, 0, 1], lesion_classes=classes, class_values=[[0], [1, 3], [2]])
        transform.set_random_state(2)
        for _ in range(200):
            transform(items[0])
            places[name].append(transform.starts[0])
    # the small lesion of value 2 holds 8 of 8,008 voxels; the volume was stored mirrored along x
    small = {name: np.mean([13 <= p[2] - 0 + 1 <= 14 and p[1] < 15 for p in rows]) for name, rows in places.items()}
    assert small["plain"] < 0.03 and 0.4 < small["lesions"] < 0.6


def test_a_class_that_is_absent_is_not_drawn(items):
    values = centre_values(items, crops(crop_size=1, class_values=[[0, 9], [1], [2, 3], [5]], ratios=[0, 0, 1, 9]), 50)
    assert set(values) <= {2, 3}
    values = centre_values(items, crops(crop_size=1, class_values=[[0, 9], [5]]), 50)
    assert set(values) <= {0, 9}


def test_only_the_boxes_are_read(items, monkeypatch):
    read, real = [], StoredVolume.__getitem__
    monkeypatch.setattr(StoredVolume, "__getitem__", lambda self, box: read.append(real(self, box)) or read[-1])
    crops(num_samples=2)(items[0])
    assert [part.shape for part in read] == [(16, 16, 16)] * 4


def test_what_cannot_be_cut_is_refused(items):
    with pytest.raises(T3DError, match="case a: image was prepared with spacing"):
        crops(spacing=[1, 1, 1])(items[0])
    with pytest.raises(T3DError, match="case a: label is no file of the prepared store"):
        crops()({key: value for key, value in items[0].items() if key != "label"})
    with pytest.raises(T3DError, match="2 ratios for 3 classes"):
        crops(ratios=[1, 1])


@pytest.mark.parametrize(("ratio", "values"), [(0.0, {0, 9}), (1e9, {1, 2, 3}), (1.0, {0, 9, 1, 2, 3})])
def test_crops_are_centred_on_foreground_as_often_as_asked(items, ratio, values):
    transform = crops(crop_size=1, num_samples=60, foreground_ratio=ratio)
    transform.set_random_state(0)
    found = [int(item["label"]) for item in transform(items[0])]
    assert set(found) <= values
    # 60 draws of one half each: 2.5 standard deviations
    share = sum(value in (1, 2, 3) for value in found) / len(found)
    assert abs(share - ratio / (1 + ratio)) <= (0.16 if ratio == 1 else 1e-6)
