"""AdrenalMNIST3D-64 as a cohort for the classification bundle, which then runs it by overrides alone.

    python benchmarks/adrenal_mnist.py --npz adrenalmnist3d_64.npz --out_dir COHORT

The volumes are binary masks of adrenal glands (MedMNIST v2, CC BY 4.0), not CT: 64^3 voxels, 0 or 1, written with
1 mm spacing because the true one is not known. The split is the official one; every case is its own patient.
"""

import argparse
import json
from pathlib import Path

import nibabel
import numpy as np

SPLITS = {"train": "training", "val": "validation", "test": "test"}
FINDING = "adrenal_abnormality"


def write_cohort(npz: Path, out_dir: Path, *, limit: int | None = None) -> dict[str, int]:
    """Write `images/*.nii.gz` and `datalist.json`; returns the number of cases of each list."""
    (out_dir / "images").mkdir(parents=True)
    lists: dict[str, list[dict]] = {}
    with np.load(npz) as arrays:
        for source, name in SPLITS.items():
            volumes, labels = arrays[f"{source}_images"], arrays[f"{source}_labels"][:, 0]
            lists[name] = []
            for number, (volume, label) in enumerate(zip(volumes[:limit], labels[:limit], strict=True)):
                case = f"{source}_{number:04d}"
                image = nibabel.Nifti1Image((volume > 0).astype(np.uint8), np.eye(4))
                nibabel.save(image, out_dir / "images" / f"{case}.nii.gz")
                lists[name].append(
                    {"case_id": case, "image": f"images/{case}.nii.gz", "findings": {FINDING: int(label)}}
                )
    (out_dir / "datalist.json").write_text(json.dumps(lists, indent=1) + "\n")
    return {name: len(items) for name, items in lists.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--npz", type=Path, required=True)
    parser.add_argument("--out_dir", type=Path, required=True, help="must not exist")
    parser.add_argument("--limit", type=int, help="cases per list, for a quick look")
    options = parser.parse_args()
    counts = write_cohort(options.npz, options.out_dir, limit=options.limit)
    parser.exit(message=f"{counts} written to {options.out_dir}\n")


if __name__ == "__main__":
    main()
