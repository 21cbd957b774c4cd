"""One preprocessing truth: the three bundles prepare images alike, in training, evaluation and inference."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser
from plain_state import state
from step_configs import BUNDLES, NAMES, configs, flat, parser

SCALARS = (
    *("spacing", "orientation", "hu_range", "crop_size"),
    *("backbone", "feature_size", "window_size", "norm", "stem_stride"),
)
# what a training takes by its crops and weights; without a record inference takes published weights to be meant
CHOSEN, PUBLISHED = "@start_window", 7
STEPS = ("Orientationd", "Spacingd", "ScaleIntensityRanged")
NO_CONFIGURATIONS = ("metadata", "labels_")
# every composition that an image comes through whole, by the configurations that make it
WHOLE = {
    "t3d_pretrain": {
        ("train",): ("train#preprocessing", "validate#preprocessing"),
        ("inference",): ("preprocessing",),
    },
    "t3d_segmentation": {
        ("train",): ("train#preprocessing", "validate#preprocessing"),
        ("train", "evaluate"): ("validate#dataset#transform",),
        ("inference",): ("preprocessing",),
    },
    "t3d_classification": {
        ("train",): ("train#preprocessing", "validate#preprocessing"),
        ("train", "evaluate"): ("validate#dataset#transform",),
        ("inference",): ("preprocessing",),
    },
}
# What an overlay may set otherwise than t3d_pretrain's overlay of the same name, and why.
MEANT = {
    ("t3d_segmentation", "demo"): {
        "crop_size": "SwinUNETR cannot train on crops of one deepest token (instance norm)"
    },
    ("t3d_pretrain", "paper"): {"window_size": "the paper's encoder is Swin UNETR's own"},
}


def read(file: Path) -> dict:
    return json.loads(file.read_text())


def steps(transform) -> list:
    """The three steps as the image meets them; what concerns labels is checked and left out."""
    found = []
    for one in flat(transform):
        name = type(one).__name__
        if name not in STEPS or "image" not in one.keys:
            continue
        place = one.keys.index("image")
        if name == "Spacingd":
            assert set(one.mode[:place] + one.mode[place + 1 :]) <= {"nearest"}
        made = {key: value for key, value in vars(one).items() if key not in ("keys", "allow_missing_keys")}
        # what is given once for each key
        made = {
            key: value[place] if type(value) is tuple and len(value) == len(one.keys) else value
            for key, value in made.items()
        }
        found.append([name, state(made)])
    return found


def default(value):
    """A scalar's value where no model is recorded and no other backbone chosen."""
    if value == CHOSEN:
        return PUBLISHED
    if isinstance(value, str) and value.startswith("$"):
        names = {"recorded": {}, "backbone": "swin", "start_window": PUBLISHED}
        return eval(value.removeprefix("$").replace("@", ""), names)
    return value


def differing_options(bundles: Path) -> list[str]:
    """Numbers of the configurations that are not those of t3d_pretrain's train.json (and its demo.json)."""
    truth, demo = (read(bundles / "t3d_pretrain" / "configs" / f"{name}.json") for name in ("train", "demo"))
    found = []
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
                    f"{where}: {k} is not that of training"
                    for k in SCALARS
                    # the pre-training's inference builds its network from the record alone
                    if (k in config or bundle != "t3d_pretrain") and default(config.get(k)) != default(truth[k])
                ]
                continue
            meant = MEANT.get((bundle, name), {})
            wanted = {key: demo[key] for key in SCALARS if key in demo} if name == "demo" else {}
            given = {key: config[key] for key in SCALARS if key in config}
            found += [
                f"{where}: sets {key} to {given.get(key)}, not {wanted.get(key)}"
                for key in {*wanted, *given} - set(meant)
                if given.get(key) != wanted.get(key)
            ]
    return found


def differing_steps(bundles: Path, only: tuple[str, ...] = NAMES) -> list[str]:
    """Compositions whose three steps are not those of t3d_pretrain's training in this repository."""
    truth = steps(parser(*configs("t3d_pretrain", "train")).get_parsed_content("preprocessing"))
    assert [name for name, _ in truth] == list(STEPS)
    return [
        f"{bundle}/{'+'.join(names)}: {name}"
        for bundle in only
        for names, compositions in WHOLE[bundle].items()
        for name in compositions
        if steps(parser(*configs(bundle, *names, bundles=bundles)).get_parsed_content(name)) != truth
    ]


def test_all_bundles_prepare_images_alike():
    assert differing_options(BUNDLES) == [] and differing_steps(BUNDLES) == []


def test_what_is_meant_to_differ_still_does():
    for (bundle, name), keys in MEANT.items():
        reference = "train" if bundle == "t3d_pretrain" else name
        config = read(BUNDLES / bundle / "configs" / f"{name}.json")
        other = read(BUNDLES / "t3d_pretrain" / "configs" / f"{reference}.json")
        assert all(config[key] != other[key] for key in keys)


@pytest.fixture
def changed(tmp_path):
    """A copy of the configurations with one change: changed(bundle, file, change)."""

    def make(bundle: str, file: str, change) -> Path:
        for name in NAMES:
            shutil.copytree(BUNDLES / name / "configs", tmp_path / name / "configs", dirs_exist_ok=True)
        path = tmp_path / bundle / "configs" / f"{file}.json"
        config = read(path)
        change(config)
        path.write_text(json.dumps(config))
        return tmp_path

    return make


@pytest.mark.parametrize("bundle", NAMES)
@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("inference", "window_size", 4),
        ("inference", "spacing", "$@recorded.get('spacing', [1.0, 1.0, 1.5])"),
        ("demo", "feature_size", 24),
        ("demo", "spacing", [5.0, 5.0, 5.0]),
        ("evaluate", "hu_range", [-1000, 1000]),
    ],
)
def test_another_number_is_found(bundle, file, key, value, changed):
    faults = differing_options(changed(bundle, file, lambda config: config.update({key: value})))
    # a drift of the truth itself shows up at the others
    assert any(fault.startswith(f"{bundle}/") or bundle == "t3d_pretrain" for fault in faults)


@pytest.mark.parametrize("bundle", NAMES)
@pytest.mark.parametrize("file", ["train", "inference"])
@pytest.mark.parametrize(
    ("key", "value"), [("spacing", [1.0, 1.0, 1.0]), ("orientation", "RAS"), ("hu_range", [-500, 701])]
)
def test_a_stage_that_does_not_read_an_option_is_found(bundle, file, key, value, changed):
    folder = changed(bundle, file, lambda config: config["preparation"].update({key: value}))
    assert any(fault.startswith(f"{bundle}/{file}") for fault in differing_steps(folder, (bundle,)))


def test_steps_of_its_own_are_found(changed):
    own = {"_target_": "Compose", "transforms": [{"_target_": "LoadImaged", "keys": "image"}]}
    folder = changed("t3d_classification", "train", lambda config: config.update(preprocessing=own))
    assert differing_steps(folder, ("t3d_classification",)) == [
        "t3d_classification/train: validate#preprocessing",
        "t3d_classification/train+evaluate: validate#dataset#transform",
    ]


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
