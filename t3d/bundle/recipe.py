"""The settings that make a training what it is, derived from the options of its config."""

import inspect
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from t3d.errors import T3DError
from t3d.files import json_bytes, sha256
from t3d.networks.recorded import recorded_names
from t3d.networks.volume_classifier import RECORDED, VolumeClassifier

LINE = "_comment_"  # the entry of a config above which its options stand
# Options that may change between two sessions of one training: everything else is part of the recipe.
FREE = frozenset(
    (
        # places
        *("dataset_dir", "datalist_file", "ckpt_dir", "output_dir", "tracking_uri"),
        *("report_cache_dir", "feature_cache_dir"),
        # the machine, its memory and its speed
        *("device", "num_workers", "cache_rate", "amp", "amp_dtype", "use_checkpoint", "compile"),
        *("sw_batch_size", "blend_on_cpu", "text_chunk", "view_chunk"),
        # how long, and how often something is looked at, kept or said
        *("max_epochs", "schedule_epochs", "val_interval", "checkpoint_every", "keep_checkpoints", "log_every"),
        # permissions
        *("allow_changed", "allow_absent_classes", "ignore_preprocessing", "overwrite"),
        # whose content counts
        "labels_file",
    )
)
# Free but for an encoder whose statistics are those of what is encoded at once.
_CHUNKS = frozenset(("text_chunk", "view_chunk"))
# Options that name a file or folder, which may be moved: its content is compared.
_BY_CONTENT = ("encoder_weights", "text_encoder")


def run_recipe(**derived: Any) -> dict[str, Any]:
    """The options of the config that is being resolved, but for those in ``FREE``; called from that config.

    Options are the entries above the entry ``_comment_``. A new option is part of the recipe until it is put into
    ``FREE``, so none can be forgotten.

    Args:
        **derived: what options come to (labels read from a file), in place of the options of these names or besides.

    Returns:
        Values that JSON and torch's ``weights_only`` files give back as they were. A file or folder of weights is
        recorded as ``sha256:..`` of its content.

    Raises:
        T3DError: not called from a config, or the config has no entry ``_comment_``.
    """
    parser = _running_parser()
    config: Any = parser.config
    if LINE not in config:
        raise T3DError(f"the config has no entry {LINE!r}, which divides its options from what they make; add it")
    above = takewhile(lambda name: name != LINE, config)
    option: Any = parser.ref_resolver.get_resolved_content
    free = FREE - _CHUNKS if "norm" in config and option("norm") == "batch" else FREE
    # names with an underscore are MONAI's: _meta_ holds the bundle's version, which does not change a training
    names = [name for name in above if name not in free and not name.startswith("_")]
    options = {name: option(name) for name in names if name not in derived}
    return {name: recorded_value(name, value) for name, value in {**options, **derived}.items()}


def classifier_settings(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Of a recipe of ``run_recipe`` what builds the classifier again."""
    return {name: recipe[name] for name in RECORDED}


def classifier_names() -> list[str]:
    """Names of the options that ``classifier`` reads, where a config has them: the settings of the network."""
    return [name for name in inspect.signature(VolumeClassifier).parameters if name != "num_findings"]


def classifier(num_findings: int, **settings: Any) -> VolumeClassifier:
    """The network of the classification config that is being resolved: its settings are the options of their names.

    Args:
        num_findings: F.
        **settings: in place of options, such as ``load(net_override=..)`` sets.
    """
    parser = _running_parser()
    config: Any = parser.config
    option: Any = parser.ref_resolver.get_resolved_content
    options = {name: option(name) for name in classifier_names() if name in config and name not in settings}
    return VolumeClassifier(num_findings=num_findings, **options, **settings)


def pretraining_settings() -> dict[str, Any]:
    """What builds the network of the pre-training config that is being resolved, for ``pretrain_network``.

    Not taken from the recipe, which needs the data: a network is also built without.
    """
    parser = _running_parser()
    config: Any = parser.config
    option: Any = parser.ref_resolver.get_resolved_content
    return {
        **{name: recorded_value(name, option(name)) for name in recorded_names() if name in config},
        "pooling": recorded_value("pooling", option("view_pooling")),
        # a task without a weight has no modules
        "use_contrast": option("contrast_weight") > 0,
        "use_restoration": option("restoration_weight") > 0,
        "use_sentences": option("use_text") and option("sentence_weight") > 0,
        "use_alignment": option("alignment_weight") > 0,
        "sentence_clusters": option("sentence_clusters") if option("sentence_task") == "clusters" else 0,
    }


def recorded_value(name: str, value: Any) -> Any:
    """An option's value as a recipe records it: plain JSON values, and ``sha256:..`` for weights on disk."""
    if name in _BY_CONTENT and isinstance(value, str | Path) and str(value) and Path(value).exists():
        return _content(Path(value))
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): recorded_value(name, entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [recorded_value(name, entry) for entry in value]
    if hasattr(value, "tolist"):  # numpy, torch
        return recorded_value(name, value.tolist())
    return str(value)


def _content(path: Path) -> str:
    if path.is_file():
        return f"sha256:{sha256(path)}"
    files = sorted(file for file in path.iterdir() if file.is_file())
    return f"sha256:{sha256(json_bytes({file.name: sha256(file) for file in files}))}"


def _running_parser() -> ConfigParser:
    """MONAI hands a config's components no parser; it is a caller of theirs."""
    frame = inspect.currentframe()
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, ConfigParser):
            return caller
        frame = frame.f_back
    raise T3DError("this works in the config of a bundle only; use it there as a _target_")
