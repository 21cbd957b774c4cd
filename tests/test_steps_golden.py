"""The steps made in Python are, attribute for attribute, those that version 0.1.0 wrote out in its configurations."""

import inspect

import pytest
from monai.transforms import Compose, Lambda
from plain_state import state
from step_configs import golden, made
from tiny_text import make_encoder

import t3d.bundle.augmentation
import t3d.bundle.steps
from t3d.monai_label.request_check import CheckRequest
from t3d.transforms.like_input import LikeInputd
from t3d.transforms.wordings import ReadReportd
from t3d.volume.label_on_image import LabelOnImaged

# tested on their own: the look at a server's request, what was a lambda in 0.1.0, and the reading of files, which has
# one reader now and lays labels on their images
_APART = (CheckRequest, LabelOnImaged, LikeInputd, Lambda, type(None))
TRAIN, EVALUATE, INFERENCE = ("train",), ("train", "evaluate"), ("inference",)


def steps(transform: Compose) -> list:
    """The state of each step, compositions inside compositions kept, since seeds are dealt out along them."""
    if isinstance(transform, Compose):
        return [steps(one) for one in transform.transforms if not isinstance(one, _APART)]
    return _apart_from_reading(state(transform))


def _apart_from_reading(made):
    """Also where an Invertd holds the steps that it inverts."""
    if isinstance(made, dict):
        passed_over = "_loader" if made.get("a", "").endswith(".LoadImaged") else None
        return {name: _apart_from_reading(one) for name, one in made.items() if name != passed_over}
    if isinstance(made, list):
        kept = [one for one in made if not (isinstance(one, dict) and one.get("a", "").endswith("LabelOnImaged"))]
        return [_apart_from_reading(one) for one in kept]
    return made


def same(found: Compose, expected: Compose, *, count: int) -> None:
    assert type(found) is type(expected) is Compose
    assert len(steps(found)) == count
    assert steps(found) == steps(expected)


def segmentation_training(**options) -> Compose:
    """What is kept of a case and what is drawn from it; 0.1.0 did both in one."""
    kept, drawn = (
        made("t3d_segmentation", TRAIN, f"train#{part}", **options) for part in ("preprocessing", "random_transforms")
    )
    return Compose([kept, drawn]) if kept.transforms else drawn


@pytest.mark.parametrize(("prepared", "count"), [(False, 2), (True, 8)])
def test_segmentation_training(prepared, count):
    options = {"prepared": prepared, "lesion_classes": ["kidneys"]}
    crops = made("t3d_segmentation", TRAIN, "train#random_transforms", **options)
    whole = made("t3d_segmentation", TRAIN, "train#preprocessing", **options)
    # the engine draws crops anew from whole volumes that it may keep; nothing of a prepared one is kept
    found = Compose([whole, crops]) if whole.transforms else crops
    same(found, golden("segmentation_train", "train#preprocessing", **options), count=count)


@pytest.mark.parametrize(("prepared", "count"), [(False, 7), (True, 8)])
def test_tumour_training(prepared, count):
    ours = {"crop_ratios": "$[1, 1] + [3] * (len(@class_names) - 1)", "lesion_classes": ["tumour"]}
    found = made("t3d_segmentation", TRAIN, "train#random_transforms", prepared=prepared, **ours)
    expected = golden("segmentation_tumour", "train#preprocessing", prepared=prepared)
    same(found, expected if prepared else expected.transforms[1], count=count)


@pytest.mark.parametrize("prepared", [False, True])
def test_segmentation_validation(prepared):
    found = made("t3d_segmentation", TRAIN, "validate#preprocessing", prepared=prepared)
    same(found, golden("segmentation_train", "preprocessing", prepared=prepared), count=7)


def test_segmentation_evaluation():
    found = made("t3d_segmentation", EVALUATE, "validate#postprocessing")
    same(found, golden("segmentation_evaluate", "validate#postprocessing"), count=4)


@pytest.mark.parametrize(("save", "count"), [(False, 4), (True, 8)])
def test_segmentation_inference(save, count):
    found = made("t3d_segmentation", INFERENCE, "preprocessing")
    same(found, golden("segmentation_inference", "preprocessing"), count=6)
    found = made("t3d_segmentation", INFERENCE, "postprocessing", save_probabilities=save)
    # the inverted composition has one step more: the look at the request, which changes nothing
    expected = golden("segmentation_inference", "postprocessing", save_probabilities=save)
    for one in (found, expected):
        for step in one.transforms:
            step.__dict__.pop("transform", None)
    same(found, expected, count=count)


@pytest.mark.parametrize(
    ("options", "count"),
    [({}, 7), ({"prepared": True}, 4), ({"cached_features": True, "window_features": {"cache": 1}}, 4)],
    ids=["raw", "prepared", "features"],
)
def test_classification_training(options, count):
    found = made("t3d_classification", TRAIN, "train#preprocessing", **options)
    same(found, golden("classification_train", "train#preprocessing", **options), count=count)
    found = made("t3d_classification", TRAIN, "train#random_transforms", **options)
    expected = golden("classification_train", "train#random_transforms", **options)
    same(found, expected, count=1 if "cached_features" in options else 6)
    # whole volumes are validated, also prepared ones
    found = made("t3d_classification", TRAIN, "validate#preprocessing", **options)
    expected = golden("classification_train", "preprocessing", **options)
    same(found, expected, count=4 if "cached_features" in options else 7)


def test_classification_inference():
    options = {"finding_names": ["a"]}
    found = made("t3d_classification", INFERENCE, "preprocessing", **options)
    same(found, golden("classification_inference", "preprocessing", **options), count=5)
    found = made("t3d_classification", INFERENCE, "postprocessing", **options)
    same(found, golden("classification_inference", "postprocessing", **options), count=3)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize(
    ("text", "count"),
    [({"use_text": False}, 0), ({"use_text": True}, 1), ({"use_text": True, "report_cache": False}, 1)],
    ids=["none", "cached", "live"],
)
def test_pretraining(prepared, text, count, encoder, tmp_path):
    options = {
        "prepared": prepared, "text_encoder": encoder, "text_revision": None, "trained_text_layers": 0,
        "report_cache_dir": str(tmp_path), **text,
    }  # fmt: skip
    old = {
        "jitter": 0.0,
        "pairs": "both",
        "view_overlap": 0.6,
        "sentence_weight": 0.0,
    }  # the recipe of the golden ones
    found = made("t3d_pretrain", TRAIN, "preprocessing", **options, **old)
    expected = golden("pretrain_train", "preprocessing", **options)
    if count:
        # a report may have several wordings since: they are kept beside it, and its steps are one that may wait
        expected.transforms[0].__init__([*expected.transforms[0].keys, "reports"], allow_missing_keys=True)
        waits = [step for step in found.transforms if isinstance(step, ReadReportd)]
        found = Compose([step.steps.transforms[0] if step in waits else step for step in found.transforms])
        assert [len(step.steps.transforms) for step in waits] == [1]
    same(found, expected, count=count + (2 if prepared else 6))
    for stage, views in (("train", 2 + min(count, 1)), ("validate", 2)):
        found = made("t3d_pretrain", TRAIN, f"{stage}#random_transforms", **options, **old)
        same(found, golden("pretrain_train", f"{stage}#random_transforms", **options), count=views)


def test_pretraining_inference():
    found = made("t3d_pretrain", INFERENCE, "preprocessing")
    same(found, golden("pretrain_inference", "preprocessing"), count=7)


@pytest.mark.parametrize(
    ("module", "name", "change"),
    [
        (t3d.bundle.steps, "Spacingd", {"mode": "nearest"}),
        (t3d.bundle.steps, "Orientationd", {"axcodes": "RAS"}),
        (t3d.bundle.steps, "ScaleIntensityRanged", {"clip": False}),
        (t3d.bundle.steps, "ScaleIntensityRanged", {"a_min": -501}),
        (t3d.bundle.steps, "LoadVolumed", {"spacing": [3.0, 4.0, 5.1]}),
        (t3d.bundle.augmentation, "RandFlipd", {"prob": 0.3}),
        (t3d.bundle.augmentation, "RandShiftIntensityd", {"prob": 0.6}),
    ],
)
def test_one_changed_argument_is_found(module, name, change, monkeypatch):
    real = getattr(module, name)
    names = list(inspect.signature(real).parameters)

    def changed(*given, **options):
        return real(**{**dict(zip(names, given, strict=False)), **options, **change})

    monkeypatch.setattr(module, name, changed)
    with pytest.raises(AssertionError):
        for part in ("preprocessing", "random_transforms"):
            found = made("t3d_classification", TRAIN, f"train#{part}")
            same(found, golden("classification_train", f"train#{part}"), count=len(found.transforms))
