"""Lists that a cohort does not have, taken from its training patients."""

import hashlib
from collections.abc import Sequence

from t3d.errors import T3DError


def hold_out(items: Sequence[dict], *, share: float, seed: int, name: str) -> tuple[list[dict], list[dict]]:
    """Part the items by patient; the choice depends on the seed, the name and the patients' ids alone.

    Args:
        items: datalist items with ``patient_id``.
        share: of the patients, in [0, 1); rounded, but at least one patient where it is above 0.
        seed: of the choice.
        name: of the new list; another name makes another choice.

    Returns:
        (those that stay, those that are held out), both in the order they came in.

    Raises:
        T3DError: a share outside [0, 1), or no patient would stay.
    """
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
        raise T3DError(f"--{name}_share {share!r} is outside [0, 1): 0.1 holds out a tenth of the training patients")
    patients = sorted({str(item["patient_id"]) for item in items}, key=lambda patient: _key(seed, name, patient))
    count = max(1, round(share * len(patients))) if share else 0
    if count and count >= len(patients):
        raise T3DError(
            f"--{name}_share {share}: of {len(patients)} training patients none would stay; choose a smaller share"
        )
    held = set(patients[:count])
    return (
        [item for item in items if str(item["patient_id"]) not in held],
        [item for item in items if str(item["patient_id"]) in held],
    )


def _key(seed: int, name: str, patient: str) -> bytes:
    # the name keeps the choice apart from that of label fractions, which order patients by seed alone
    return hashlib.sha256(f"held out {name}\n{seed}\n{patient}".encode()).digest() + patient.encode()
