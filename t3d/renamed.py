"""Module paths of version 0.1.0 that moved: they work for one more version, each with one warning.

People have overlays with ``_target_`` paths and scripts with imports. With the next version this file goes, and
the two lines in ``t3d/__init__.py`` that install it.
"""

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

# new room -> old modules that have kept their last name
_ROOMS = {
    "t3d.bundle": "t3d.console t3d.options",
    "t3d.demo": "t3d.data.cohort_bert t3d.data.masked_words t3d.data.tiny_bert",
    "t3d.evaluate": "t3d.engines.classification_metrics t3d.engines.classification_report t3d.engines.gauge_report "
    "t3d.engines.gauges t3d.engines.metric_report t3d.engines.ranking t3d.engines.retrieval "
    "t3d.engines.segmentation_metrics t3d.engines.thresholds t3d.engines.verdict t3d.engines.zero_shot "
    "t3d.engines.zero_shot_metrics",
    "t3d.infer": "t3d.engines.attention_maps t3d.engines.case_by_case t3d.engines.pending_cases "
    "t3d.engines.predictions t3d.engines.save_features t3d.engines.sentence t3d.engines.text_embeddings "
    "t3d.engines.volume_features",
    "t3d.metrics": "t3d.intervals",
    "t3d.networks": "t3d.text_encoder_folder t3d.window_grid",
    "t3d.reports": "t3d.data.prompts",
    "t3d.train": "t3d.engines.fine_tuning t3d.engines.finite_images t3d.engines.model_hand_over t3d.engines.pictures "
    "t3d.engines.segmentation_pictures t3d.engines.trainer t3d.engines.training_state",
    "t3d.transforms": "t3d.data.window_features",
    "t3d.volume": "t3d.data.dicom_series t3d.data.hu_guard t3d.data.hu_plausibility "
    "t3d.data.image_file t3d.data.label_checks t3d.data.label_table t3d.data.label_volume t3d.data.nifti_header "
    "t3d.data.volume_shape t3d.data.voxel_histogram t3d.prepare.grid t3d.prepare.index t3d.prepare.listed "
    "t3d.prepare.reader t3d.prepare.store t3d.transforms.load",
    "t3d.weights": "t3d.encoder_record t3d.model_record t3d.state_files",
}
# whole rooms that moved, with all their modules
_WHOLE = {"t3d.data.cohorts": "t3d.cohorts", "t3d.data.phantoms": "t3d.phantoms", "t3d.demo_report": "t3d.demo"}
# old module -> new module
MODULES = {
    **{old: f"{room}.{old.rpartition('.')[2]}" for room, names in _ROOMS.items() for old in names.split()},
    **_WHOLE,
    "t3d.data.dicom_checks": "t3d.volume.dicom_series",
    "t3d.data.image_header": "t3d.data.datalist",
    "t3d.data.report_feature_file": "t3d.reports.feature_file",
    "t3d.data.report_features": "t3d.reports.features",
    "t3d.encoder_architecture": "t3d.weights.architecture",
    "t3d.encoder_names": "t3d.weights.names",
    "t3d.engines.hand_over": "t3d.train.model_hand_over",
    "t3d.engines.layer_decay": "t3d.train.fine_tuning",
    "t3d.networks.crop_size": "t3d.networks.window_grid",
    "t3d.networks.vision_encoder": "t3d.networks.swin_encoder",
    "t3d.quiet_transformers": "t3d.networks.text_encoder",
    "t3d.transforms.report_sections": "t3d.reports.sections",
    "t3d.transforms.report_tokens": "t3d.reports.tokens",
}
# a module as it is now -> what is asked of it under an old path and lies elsewhere, "module:name" under another name
NAMES = {
    "t3d.bundle.options": {"flag": "t3d.flag"},
    "t3d.data.datalist": {"find_cases": "t3d.data.inference_cases"},
    "t3d.data.datalist_checks": {"SHOWN_FAULTS": "t3d.errors", "raise_faults": "t3d.errors"},
    "t3d.evaluate.gauges": {
        "MeasureGauges": "t3d.evaluate.measure_gauges",
        "another_report": "t3d.evaluate.wrong_reports",
    },
    "t3d.evaluate.zero_shot": {"as_json": "t3d.files:json_bytes"},
    "t3d.infer.save_features": {"overlay": "t3d.infer.text_picture:text_picture"},
    "t3d.networks.swin_encoder": {"STRIDE": "t3d.networks.encoders", "check_crop": "t3d.networks.encoders"},
    "t3d.prepare.record": {"file_hash": "t3d.files:sha256"},
    "t3d.reports.sections": {"clean_report": "t3d.reports.clean", "split_sentences": "t3d.reports.sentences"},
    "t3d.train.trainer": {"ClippingTrainer": "t3d.train.trainer:GuardedTrainer"},
    "t3d.volume.dicom_series": {"find_volumes": "t3d.data.inference_cases"},
    "t3d.volume.label_checks": {"grid_fault": "t3d.volume.same_voxels"},
    "t3d.volume.load": {"first_line": "t3d.volume.in_words"},
    "t3d.weights.encoder_record": {"compare_preprocessing": "t3d.weights.record", "sha256": "t3d.files"},
}
_GONE = "t3d.engines"  # a room of which nothing is left but old paths below it


def install() -> None:
    """Make old paths importable; before all other finders, which would take a left-over folder for the package."""
    sys.meta_path.insert(0, _OldPaths())


def new_path(name: str) -> str | None:
    """Where a module of 0.1.0 is now; None for a name that did not move."""
    if name in MODULES:
        return MODULES[name]
    room = next((old for old in _WHOLE if name.startswith(f"{old}.")), None)
    new = room and _WHOLE[room] + name.removeprefix(room)
    return new if new and importlib.util.find_spec(new) else None


class _OldPaths(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith("t3d."):
            return None
        if name == _GONE:
            return ModuleSpec(name, _Empty(), is_package=True)
        if new := new_path(name):
            return ModuleSpec(name, _SameModule(new))
        spec = PathFinder.find_spec(name, path, target) if name in NAMES else None
        if spec is not None and spec.loader is not None:
            spec.loader = _WithOldNames(spec.loader)
        return spec


class _Empty(Loader):
    def exec_module(self, module: ModuleType) -> None:
        pass


class _SameModule(Loader):
    """Gives the module of the new path itself, so that classes and what is patched in it are the same."""

    def __init__(self, new: str) -> None:
        self.new = new

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        _warn(spec.name, self.new)
        module = importlib.import_module(self.new)
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec  # the import system has put the old path's there


class _WithOldNames(Loader):
    """The module's own loader, after which the module finds names that left it."""

    def __init__(self, own: Loader) -> None:
        self.own = own

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.own.exec_module(module)

        def elsewhere(name: str) -> Any:
            new = NAMES[module.__name__].get(name)
            if new is None:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            where, _, now = new.partition(":")
            now = now or name
            _warn(f"{module.__name__}.{name}", f"{where}.{now}")
            value = getattr(importlib.import_module(where), now)
            setattr(module, name, value)
            return value

        module.__getattr__ = elsewhere  # type: ignore[method-assign]  # PEP 562

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)


def _warn(old: str, new: str) -> None:
    warnings.warn(f"{old} is now {new}; the old path works until the next version", DeprecationWarning, stacklevel=3)
