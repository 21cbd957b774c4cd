"""The cases that the page of a demonstration lets one scroll through."""

from collections.abc import Mapping
from pathlib import Path

from t3d.data.datalist import load_datalist
from t3d.demo.results import STARTS, Results
from t3d.files import read_json
from t3d.page.case import ViewerCase
from t3d.page.choose import spread
from t3d.page.parts import Viewer
from t3d.page.read_case import MapFile, read_case
from t3d.page.results import class_facts, plain
from t3d.volume.label_table import BACKGROUND, class_values

_CASES = 4


def shown_cases(folder: Path, results: Results) -> Viewer | None:
    """Held-out phantoms with their organs, each start's segmentation and the text map, from worst to best Dice.

    Args:
        folder: of the demonstration.
        results: read from it.

    Returns:
        None where nothing was segmented.

    Raises:
        T3DError: a volume or a label map cannot be read.
    """
    runs = {start: name for start, name in STARTS.items() if ("segmentation", start) in results.metrics}
    datalist = folder / "data" / "datalist.json"
    if not runs or not datalist.is_file():
        return None
    items = {str(item["case_id"]): item for item in load_datalist(datalist, "test", need_report=False)}
    first = next(iter(runs))
    record = read_json(
        folder / f"segmentation_{first}" / "models" / "model.json", what="model record", remedy="run make demo again"
    )
    table = class_values(record["labels"])
    classes = {name: values for name, values in table.items() if name != BACKGROUND}
    asked = folder / "sentence.txt"
    sentence = f": {asked.read_text(encoding='utf-8').strip()}" if asked.is_file() else ""
    metrics = results.metrics["segmentation", first]
    cases: list[ViewerCase] = []
    for measured in spread(metrics["per_case"], _CASES):
        case = str(measured["case_id"])
        text = folder / "features" / f"{case}_text.nii.gz"
        predictions = {
            f"prediction, {name}": folder / f"segmentation_{start}" / "eval" / f"{case}_pred.nii.gz"
            for start, name in runs.items()
        }
        cases.append(
            read_case(
                case,
                items[case]["image"],
                labels={"truth": items[case]["label"], **predictions},
                maps={f"text map{sentence}": MapFile(text)} if text.is_file() else {},
                classes=classes,
                facts=class_facts(measured),
                note=_findings(items[case].get("findings", {})),
            )
        )
    return Viewer(cases, list(classes))


def _findings(states: Mapping[str, int | None]) -> str:
    shown = [plain(name) for name, state in states.items() if state == 1]
    return (
        f"Findings of this phantom: {', '.join(shown) or 'none'}. The numbers of the case are of the first prediction."
    )
