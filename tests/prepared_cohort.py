"""A small prepared cohort for tests."""

import json
from pathlib import Path


def prepare_small(
    cohort: Path, folder: Path, *, spacing=(6.0, 6.0, 6.0), counts=(4, 2, 2), **options
) -> tuple[Path, Path]:
    """Folders of a raw and of a prepared cohort of the same few cases."""
    from t3d.prepare.cohort import prepare_cohort

    lists = json.loads((cohort / "datalist.json").read_text())
    small = {
        split: [
            {**item, "image": str(cohort / item["image"]), "label": str(cohort / item["label"])}
            for item in lists[split][:count]
        ]
        for split, count in zip(("training", "validation", "test"), counts, strict=True)
    }
    raw = folder / "raw"
    raw.mkdir(parents=True)
    (raw / "datalist.json").write_text(json.dumps(small))
    outcome = prepare_cohort(raw / "datalist.json", folder / "prepared", spacing=spacing, **options)
    assert not outcome.failed
    return raw, folder / "prepared"
