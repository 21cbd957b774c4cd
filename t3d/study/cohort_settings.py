"""What decides the cohort of a study, as settings of its cells."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t3d.errors import T3DError
from t3d.files import sha256


def cohort_settings(cohort: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of each fold; a datalist counts by its content, and its images are taken to stay what they are."""
    if "phantoms" in cohort:
        return [dict(cohort)]
    if "published" in cohort:
        raise T3DError("the cohort of the plan was not read yet; see t3d.study.published_cohort")
    classes = cohort.get("classes")
    found = []
    for name in cohort.get("datalists") or [cohort["datalist"]]:
        file = Path(name)
        if not file.is_file():
            raise T3DError(f"the datalist {file} of the plan does not exist; correct its path")
        found.append({"datalist": str(file), "sha256": sha256(file), **({"classes": classes} if classes else {})})
    return found
