"""A study without the hours: its cells in this process, and in the place of a bundle's run what it would have left."""

import json
from pathlib import Path

import numpy as np

from t3d.data.datalist import load_datalist
from t3d.files import write_json
from t3d.reports.prompts import finding_name, read_prompts
from t3d.study import cells_model
from t3d.study.run import CELLS
from t3d.study.run_cell import CELL, run_cell


class Played:
    """What the runs were asked for; results depend on the case and the arm alone."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, tuple[str, ...], dict]] = []

    def bundle_run(self, bundle, names, folder, *, options, **_) -> None:
        self.runs.append((bundle.name, tuple(names), dict(options)))
        for key in ("datalist_file", "labels_file", "prompts_file", "encoder_weights", "ckpt_dir"):
            assert key not in options or Path(options[key]).exists(), key
        task = next((name for name in ("evaluate", "zero_shot", "retrieval") if name in names), "train")
        getattr(self, f"_{task}")(bundle.name, folder, options)

    def _train(self, bundle, folder, options) -> None:
        (folder / "models").mkdir(exist_ok=True)
        for name in ("model.json", "encoder.json"):
            (folder / "models" / name).write_text("{}")

    def _evaluate(self, bundle, folder, options) -> None:
        items = load_datalist(options["datalist_file"], "test", need_report=False)
        per_case = [{**_who(item), **self._measured(bundle, item, options)} for item in items]
        write_json(folder / "eval" / "metrics.json", {"per_case": per_case})

    def _measured(self, bundle, item, options) -> dict:
        if bundle == "t3d_classification":
            return {"labels": item["findings"], "scores": {name: _score(item, name) for name in item["findings"]}}
        classes = [name for name in json.loads(Path(options["labels_file"]).read_text()) if name != "background"]
        named = options.get("lesion_classes", [])
        # cases have other numbers of false positives, so folds have other numbers of slots
        false = [_score(item, "false")] * (len(item["case_id"]) + int(item["case_id"][-1]))
        matched, scored = (
            {name: {"lesions": [{"mm3": mm3, **found} for mm3 in (9.0, 20.0, 90.0)], "false_positives": false}
             for name in named}
            for found in ({"detected": True}, {"score": _score(item, "lesion")})
        )  # fmt: skip
        dice = {name: {"dice": _score(item, name), "surface_dice": 0.5} for name in classes}
        return {"classes": dice, "lesions": matched, "scored_lesions": scored}

    def _zero_shot(self, bundle, folder, options) -> None:
        items = load_datalist(options["datalist_file"], "test", need_report=False)
        prompts = read_prompts(options["prompts_file"])
        names = [name for name in items[0]["findings"] if finding_name(name) in prompts]
        cases = [{**_who(item), "scores": {name: _score(item, name) for name in names}} for item in items]
        write_json(folder / "eval" / "predictions.json", {"findings": names, "cases": cases})

    def _retrieval(self, bundle, folder, options) -> None:
        items = load_datalist(options["datalist_file"], "test")
        rows = [f"{item['case_id']},{7.0 * place},{1.0}" for place, item in enumerate(items)]
        head = "case_id,report_to_volume_rank,volume_to_report_rank"
        (folder / "eval").mkdir(exist_ok=True)
        (folder / "eval" / "ranks.csv").write_text("\n".join([head, *rows, ""]))


def in_this_process(monkeypatch) -> None:
    """Studies of this test run their cells here: most of a small cell is the start of its process."""

    def run_here(cells, out_dir, *, bundles, workers):
        for key, cell in cells.items():
            folder = out_dir / CELLS / key
            about = {"name": cell.name, "kind": cell.kind, "settings": cell.settings, "needs": cell.needs}
            write_json(folder / CELL, {**about, "bundles": str(bundles), "workers": 1})
            run_cell(folder)
        return {}

    monkeypatch.setattr("t3d.study.study.run_cells", run_here)


def play(monkeypatch) -> Played:
    """.. and no bundle is run and no volume read."""
    played = Played()

    def features(weights, items, *, strides):
        return np.array([[_score(item, f"channel {k}") for k in range(4)] for item in items])

    in_this_process(monkeypatch)
    monkeypatch.setattr(cells_model, "bundle_run", played.bundle_run)
    monkeypatch.setattr(cells_model, "read_volumes", features)
    return played


def _who(item) -> dict:
    return {"case_id": item["case_id"], "patient_id": item["patient_id"]}


def _score(item, name) -> float:
    return np.random.default_rng([ord(letter) for letter in f"{item['case_id']}{name}"]).random()
