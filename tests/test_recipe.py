"""Which options make a training what it is is derived from the config, so that none can be forgotten."""

import json
import re

import classification_runs
import pretrain_runs
import pytest
import segmentation_runs
import torch
from monai.bundle import ConfigParser

from t3d.bundle.recipe import FREE, LINE, recorded_value, run_recipe
from t3d.errors import T3DError
from t3d.networks.volume_classifier import VolumeClassifier

RUNS = {"pretrain": pretrain_runs, "segmentation": segmentation_runs, "classification": classification_runs}
# What 0.1 forgot, and some that it did not
KNOWN = {
    "pretrain": "seed sections max_tokens weight_decay warmup_steps clip_norm text_encoder feature_size world_size",
    "segmentation": "seed encoder_weights weight_decay clip_norm accumulate labels crop_ratios crops_per_case flip",
    "classification": "seed encoder_weights findings weight_decay clip_norm accumulate train_windows freeze_epochs",
}


def parser_of(bundle, cohort, folder, *names):
    parser = ConfigParser()
    parser.read_config(RUNS[bundle].config_files("train", *names))
    parser.update({**RUNS[bundle].places(cohort, folder), **RUNS[bundle].RUNS.tiny})
    return parser


@pytest.mark.parametrize("bundle", RUNS)
def test_all_options_but_the_free_ones_are_in_the_recipe(bundle, cohort, tmp_path):
    # pre-training without demo.json: its text encoder would be made
    parser = parser_of(bundle, cohort, tmp_path, *(() if bundle == "pretrain" else ("demo",)))
    parser.update({"a_new_option": {"rates": (0.1, 1), "kind": torch.float16}})
    parser.config = {"a_new_option": parser.config.pop("a_new_option"), **parser.config}
    parser.read_meta(str(RUNS[bundle].BUNDLE / "configs" / "metadata.json"))
    parser.config = {"_meta_": parser.config.pop("_meta_"), **parser.config}  # where a run has it
    recipe = parser.get_parsed_content("recipe")
    assert "_meta_" not in recipe and set(KNOWN[bundle].split()) <= set(recipe)
    assert recipe["a_new_option"] == {"rates": [0.1, 1], "kind": "torch.float16"}
    assert not FREE & set(recipe)
    assert recipe == json.loads(json.dumps(recipe))
    torch.save(recipe, tmp_path / "recipe.pt")
    assert recipe == torch.load(tmp_path / "recipe.pt", weights_only=True)
    # finding them out makes nothing: weights drawn in another order would be other weights
    assert not {"network", "network_def", "optimizer", "train#trainer"} & set(parser.ref_resolver.resolved_content)


@pytest.mark.parametrize(("norm", "kept"), [("instance", set()), ("batch", {"text_chunk", "view_chunk"})])
def test_what_is_encoded_at_once_is_free_unless_it_changes_the_numbers(cohort, tmp_path, norm, kept):
    parser = parser_of("pretrain", cohort, tmp_path)
    parser.update({"norm": norm, "backbone": "segres"})
    recipe = parser.get_parsed_content("recipe")
    assert {"text_chunk", "view_chunk"} & set(recipe) == kept


@pytest.mark.parametrize("bundle", RUNS)
def test_what_stands_above_the_line_are_options(bundle):
    """No parts of a network, no lists of cases: those would be resolved too early, or fill the record."""
    config = json.loads((RUNS[bundle].BUNDLE / "configs" / "train.json").read_text())
    above = list(config)[: list(config).index(LINE)]
    made = [name for name in above if isinstance(config[name], dict) and name not in FREE]
    assert not made, made
    used = {
        name for name in re.findall(r"@(\w+)", json.dumps({name: config[name] for name in above if name not in FREE}))
    }
    # below the line: what a model's record says, the window that weights or crops ask for, and whether a server of
    # MONAI Label trains
    assert used <= {*above, "validate", "train", "recorded", "start_window", "annotating", "world_size"}
    assert FREE >= {"max_epochs", "ckpt_dir", "num_workers", "allow_changed"}


def test_free_names_are_options_of_some_bundle():
    known = {
        name for runs in RUNS.values() for name in json.loads((runs.BUNDLE / "configs" / "train.json").read_text())
    }
    assert known >= FREE


def test_weights_on_disk_are_recorded_by_content(tmp_path):
    for name in ("one.pt", "two.pt"):
        (tmp_path / name).write_bytes(b"weights")
    one, two = (recorded_value("encoder_weights", str(tmp_path / name)) for name in ("one.pt", "two.pt"))
    assert one == two and one.startswith("sha256:")
    (tmp_path / "two.pt").write_bytes(b"others")
    assert recorded_value("encoder_weights", str(tmp_path / "two.pt")) != one
    assert recorded_value("text_encoder", str(tmp_path)).startswith("sha256:")
    assert recorded_value("text_encoder", "StanfordAIMI/RadBERT") == "StanfordAIMI/RadBERT"
    assert recorded_value("candidates", str(tmp_path)) == str(tmp_path)


def test_outside_of_a_config_there_are_no_options():
    with pytest.raises(T3DError, match="in the config of a bundle only"):
        run_recipe()
    parser = ConfigParser({"seed": 0, "settings": {"_target_": "t3d.bundle.recipe.run_recipe"}})
    with pytest.raises(Exception, match="instantiate") as caught:
        parser.get_parsed_content("settings")
    assert "no entry '_comment_'" in str(caught.value.__cause__)


def test_the_classifier_takes_the_options_of_its_settings_names(cohort, tmp_path):
    tiny = {"window_size": 2, "feature_size": 12, "attention_width": 7, "pooling": "attention", "dropout": 0.25}
    options = {
        **tiny,
        "body_share": 0.125,
        "overlap": 0.5,
        "sw_batch_size": 3,
        "crop_size": 64,
        "findings": ["a", "b"],
    }
    parser = ConfigParser()
    parser.read_config(classification_runs.config_files("train"))
    parser.update({**classification_runs.places(cohort, tmp_path), **options, "network_def#sw_batch_size": 5})
    network = parser.get_parsed_content("network_def")
    torch.manual_seed(0)
    plain = VolumeClassifier(num_findings=2, **{**tiny, "overlap": 0.5, "body_share": 0.125, "crop_size": 64})
    assert str(network) == str(plain) and network.sw_batch_size == 5
    for name in ("overlap", "body_share", "body_level", "window"):
        assert getattr(network, name) == getattr(plain, name), name
