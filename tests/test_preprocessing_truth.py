"""One preprocessing truth: the three bundles prepare images alike, in training, evaluation and inference."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser

BUNDLES = Path(__file__).resolve().parents[1] / "bundles"
NAMES = ("t3d_pretrain", "t3d_segmentation", "t3d_classification")
SCALARS = ("spacing", "orientation", "hu_range", "crop_size", "feature_size", "window_size")
STEPS = ("Orientationd", "Spacingd", "ScaleIntensityRanged")
NO_CONFIGURATIONS = ("metadata", "labels_")
# What an overlay may set otherwise than t3d_pretrain's overlay of the same name, and why.
MEANT = {
    ("t3d_segmentation", "demo"): {"crop_size": "SwinUNETR cannot train on crops of one deepest token (instance norm)"}
}


def read(file: Path) -> dict:
    return json.loads(file.read_text())


def dictionaries(part):
    """All dicts of a configuration, in the order they stand in."""
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from dictionaries(inner)


def as_list(value) -> list:
    return value if isinstance(value, list) else [value]


def steps(config: dict) -> list[dict]:
    """The three steps as the image meets them; what concerns labels is checked and left out."""
    found = []
    for one in dictionaries(config):
        name = str(one.get("_target_", "")).rsplit(".", 1)[-1]
        if name not in STEPS or "image" not in as_list(one["keys"]):
            continue
        step = {key: value for key, value in one.items() if key not in ("keys", "allow_missing_keys")}
        place = as_list(one["keys"]).index("image")
        if name == "Spacingd" and isinstance(one["mode"], list):
            others = [mode for number, mode in enumerate(one["mode"]) if number != place]
            assert set(others) <= {"nearest"}, one
            step["mode"] = one["mode"][place]
        found.append({**step, "_target_": name})
    return found


def default(value):
    """A scalar's value where no model is recorded."""
    if isinstance(value, str) and value.startswith("$"):
        return eval(value.removeprefix("$").replace("@recorded", "recorded"), {"recorded": {}})
    return value


def faults(bundles: Path) -> list[str]:
    """What differs from t3d_pretrain's train.json (and its demo.json)."""
    truth, demo = (read(bundles / "t3d_pretrain" / "configs" / f"{name}.json") for name in ("train", "demo"))
    found = [] if [step["_target_"] for step in steps(truth)] == list(STEPS) else ["t3d_pretrain/train: steps"]
    for bundle in NAMES:
        folder = bundles / bundle / "configs"
        names = {file.stem for file in folder.glob("*.json")}
        found += [f"{bundle}/{name} is missing" for name in {"train", "evaluate", "inference", "demo"} - names]
        for name in names:
            if name.startswith(NO_CONFIGURATIONS):
                continue
            config, where = read(folder / f"{name}.json"), f"{bundle}/{name}"
            if name in ("train", "inference"):
                found += [
                    f"{where}: {k} is not that of training" for k in SCALARS if default(config.get(k)) != truth[k]
                ]
                if steps(config) != steps(truth):
                    found.append(f"{where}: the steps are not those of t3d_pretrain/train")
                continue
            meant = MEANT.get((bundle, name), {})
            wanted = {key: demo[key] for key in SCALARS if key in demo} if name == "demo" else {}
            given = {key: config[key] for key in SCALARS if key in config}
            found += [
                f"{where}: sets {key} to {given.get(key)}, not {wanted.get(key)}"
                for key in {*wanted, *given} - set(meant)
                if given.get(key) != wanted.get(key)
            ]
            if steps(config):
                found.append(f"{where}: an overlay brings preprocessing steps of its own")
    return found


def test_all_bundles_prepare_images_alike():
    assert faults(BUNDLES) == []


def test_what_is_meant_to_differ_still_does():
    for (bundle, name), keys in MEANT.items():
        config, other = (read(BUNDLES / one / "configs" / f"{name}.json") for one in (bundle, "t3d_pretrain"))
        assert all(config[key] != other[key] for key in keys)


MUTATIONS = [
    (name, file, change)
    for name in NAMES
    for file, change in (
        ("train", ("pixdim", [1.0, 1.0, 1.0])),
        ("inference", ("mode", "nearest")),
        ("inference", ("axcodes", "LPS")),
        ("train", ("clip", False)),
        ("inference", ("a_min", -500)),
        ("inference", ("window_size", 4)),
        ("inference", ("spacing", "$@recorded.get('spacing', [1.0, 1.0, 1.5])")),
        ("demo", ("feature_size", 24)),
        ("demo", ("spacing", [5.0, 5.0, 5.0])),
        ("evaluate", ("hu_range", [-1000, 1000])),
    )
]


@pytest.mark.parametrize(("name", "file", "change"), MUTATIONS)
def test_drift_is_found(name, file, change, tmp_path):
    for bundle in NAMES:
        shutil.copytree(BUNDLES / bundle / "configs", tmp_path / bundle / "configs")
    path = tmp_path / name / "configs" / f"{file}.json"
    config = read(path)
    key, value = change
    step = [one for one in dictionaries(config) if key in one and one.get("_target_") in STEPS]
    assert len(step) == (0 if key in SCALARS else 1)
    (step[0] if step else config)[key] = value
    path.write_text(json.dumps(config))
    # a drift of the truth itself shows up at the others
    assert any(fault.startswith(f"{name}/") or name == "t3d_pretrain" for fault in faults(tmp_path))


def test_a_step_more_or_less_or_exchanged_is_found(tmp_path):
    for bundle in NAMES:
        shutil.copytree(BUNDLES / bundle / "configs", tmp_path / bundle / "configs")
    path = tmp_path / "t3d_classification" / "configs" / "train.json"
    for change in (lambda s: s[::-1], lambda s: s[:-1], lambda s: [*s, s[-1]]):
        config = read(BUNDLES / "t3d_classification" / "configs" / "train.json")
        config["image_preprocessing"] = change(config["image_preprocessing"])
        path.write_text(json.dumps(config))
        assert faults(tmp_path) == ["t3d_classification/train: the steps are not those of t3d_pretrain/train"]


@pytest.mark.parametrize("bundle", NAMES[1:])
def test_the_same_file_becomes_the_same_voxels(bundle, cohort, tmp_path):
    """The steps as run: inference of each bundle on one phantom against t3d_pretrain's, up to padding at the end."""
    images = {}
    for name in (bundle, "t3d_pretrain"):
        parser = ConfigParser()
        parser.read_config(str(BUNDLES / name / "configs" / "inference.json"))
        parser.update(
            {
                "bundle_root": str(BUNDLES / name), "ckpt_dir": str(tmp_path), "dataset_dir": str(cohort),
                "spacing": [9.0, 12.0, 10.0], "orientation": "LPS", "hu_range": [-500, 700], "crop_size": 32,
            }
        )  # fmt: skip
        item = json.loads((cohort / "datalist.json").read_text())["test"][0]
        item["image"] = str(cohort / item["image"])
        images[name] = parser.get_parsed_content("preprocessing")(item)["image"].as_tensor()
    ours, theirs = images[bundle], images["t3d_pretrain"]
    shape = [min(sides) for sides in zip(ours.shape, theirs.shape, strict=True)]
    assert shape[1] > 10
    inner = tuple(slice(side) for side in shape)
    assert torch.allclose(ours[inner].float(), theirs[inner].float(), atol=1e-6)
    assert float(ours.max()) > 0.5 and float(ours.std()) > 0.1
