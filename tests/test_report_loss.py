import json
import logging
from pathlib import Path

import pytest

from t3d.cli import main
from t3d.errors import T3DError
from t3d.reports.loss import count_loss

FULL = "EXAM: CT.\nHISTORY: Old cough.\nFINDINGS: A cyst. Unchanged nodule.\nIMPRESSION: Cyst."
FREE = "The lungs are clear. No effusion."
LITTLE = "HISTORY:" + " Coughs and sneezes since spring." * 9 + "\nIMPRESSION: Clear."


def items(*texts):
    return [{"case_id": f"c{number}", "report": text} for number, text in enumerate(texts)]


def test_counts_by_hand():
    loss = count_loss(items(FULL, FREE, LITTLE, "", None))
    assert (loss.reports, loss.empty, loss.empty_cases) == (5, 2, ["c3", "c4"])
    assert loss.used_whole == 1 and loss.little_kept == ["c2"]
    # FULL: "EXAM: CT.", "HISTORY: ..", "FINDINGS: A cyst.", "Unchanged nodule.", "IMPRESSION: Cyst."
    assert loss.sentences == 5 + 2 + 10
    assert loss.kept_sentences == 3 + 2 + 1
    assert loss.kept_characters == len("A cyst. Unchanged nodule. Cyst.") + len(FREE) + len("Clear.")
    assert loss.characters == len(FULL) + len(FREE) + len(LITTLE)
    assert loss.comparing_sentences == 1
    assert loss.sections == {"exam": 1, "history": 2, "findings": 1, "impression": 2}


def test_dropped_comparisons_are_lost_too():
    kept, dropped = count_loss(items(FULL)), count_loss(items(FULL), drop=True)
    assert (kept.kept_sentences, dropped.kept_sentences) == (3, 2)
    assert kept.comparing_sentences == dropped.comparing_sentences == 1


@pytest.fixture
def datalist(tmp_path) -> Path:
    file = tmp_path / "datalist.json"
    file.write_text(json.dumps({"training": items(FULL, LITTLE, ""), "validation": [], "test": items(FREE)}))
    return file


def test_the_command_shows_counts_and_no_text(datalist, tmp_path, caplog):
    out = tmp_path / "loss.json"
    with caplog.at_level(logging.INFO, logger="t3d"):
        main(["reports", str(datalist), "--out_file", str(out), "--drop_comparisons", "true"])
    shown = caplog.text + out.read_text()
    assert "training: 3 reports, 1 empty" in shown and "test: 1 reports, 0 empty" in shown
    assert "1 cases keep less than a quarter of their words: c1" in shown
    assert not any(word in shown for word in ("cough", "sneezes", "cyst", "lungs"))
    content = json.loads(out.read_text())
    assert content["drop_comparisons"] is True and set(content["lists"]) == {"training", "test"}
    assert content["lists"]["training"]["sections"]["technique"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sections", "history"], "sections .* is not known"),
        (["--drop_comparisons", "perhaps"], "give True or False"),
        (["--out_file", "{datalist}"], "already there.*--overwrite True"),
    ],
)
def test_wrong_options_are_refused(datalist, arguments, words):
    before = datalist.read_bytes()
    with pytest.raises(T3DError, match=words):
        main(["reports", str(datalist), *(argument.format(datalist=datalist) for argument in arguments)])
    assert datalist.read_bytes() == before


def test_a_datalist_without_cases_is_refused(tmp_path):
    (tmp_path / "d.json").write_text('{"training": []}')
    with pytest.raises(T3DError, match="no cases"):
        main(["reports", str(tmp_path / "d.json")])
