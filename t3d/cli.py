"""The command line: `t3d COMMAND --option value`; training itself is run with `python -m monai.bundle`.

Nothing heavy is imported before a command runs, so that help is instant.
"""

import logging
import sys

from t3d.bundle.console import plain_errors
from t3d.check.command import check
from t3d.cohorts.command import cohort
from t3d.command_line import run_command
from t3d.flag import flag
from t3d.monai_label.command import label_app
from t3d.pack.command import pack, unpack, verify
from t3d.prepare.command import prepare
from t3d.reports.command import reports
from t3d.study.command import study


def main(arguments: list[str] | None = None) -> None:
    """Run one command; a T3DError becomes "error: ..." on stderr and exit status 1, wrong usage status 2.

    Args:
        arguments: as on the command line, without the program's name; None takes the process's own.
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("t3d").setLevel(logging.INFO)
    plain_errors()
    data = (phantoms, cohort, reports, check, prepare)
    models = (tiny_bert, info, export, pack, verify, unpack, label_app, summary, study)
    arguments = sys.argv[1:] if arguments is None else arguments
    run_command(
        (*data, *models), arguments, program="t3d", about="Vision-language pre-training on CT: what a training needs."
    )


def phantoms(
    out_dir: str,
    *,
    cases: int = 12,
    seed: int = 0,
    shape: int | str | tuple[int, ...] = (128, 128, 128),
    noise: float | None = None,
    montage: bool = True,
    workers: int = 1,
    wordings: int = 1,
    findings: tuple[str, ...] | str | None = None,
) -> None:
    """Write a synthetic torso CT cohort: volumes, labels, findings, reports, datalist.json and a picture.

    The folder also shows the data format: bring the same datalist for your own data. The same options give
    the same bytes.

    Args:
        out_dir: folder to write; new, empty, or holding this very cohort.
        cases: number of volumes.
        seed: key of everything random.
        shape: voxels along x, y and z, such as 64,64,64, or one number for all three.
        noise: standard deviation of the noise in HU; 15 to 25 per case if not given.
        montage: also write montage.png; --nomontage leaves it out.
        workers: processes side by side.
        wordings: of each report; pre-training shows another one of 2 or more whenever it draws the case.
        findings: that patients may have, such as splenomegaly,pleural_effusion; all of them if not given.
    """
    from t3d.phantoms import phantoms as write_phantoms

    write_phantoms(
        out_dir,
        cases=cases,
        seed=seed,
        shape=shape,
        noise=noise,
        montage=montage,
        workers=workers,
        wordings=wordings,
        findings=findings,
    )


def tiny_bert(
    datalist: str, *, out_dir: str, width: int = 64, layers: int = 2, seed: int = 0, pretrain_steps: int = 0
) -> None:
    """Make a tiny text encoder from a cohort's training reports, for trials without a downloaded one.

    Args:
        datalist: the cohort's datalist.json.
        out_dir: folder of the text encoder, for --text_encoder of the training.
        width: features of a token.
        layers: transformer layers.
        seed: key of everything random.
        pretrain_steps: steps of masked-word prediction on the reports; 0 leaves the weights random.
    """
    from t3d.demo.cohort_bert import cohort_bert

    folder = cohort_bert(datalist, out_dir, width=width, layers=layers, seed=seed, pretrain_steps=pretrain_steps)
    logging.getLogger(__name__).info("text encoder in %s", folder)


def summary(demo_dir: str) -> None:
    """Write summary.md and summary.png from what the demonstration made (see `make demo`).

    Args:
        demo_dir: folder of the demonstration.
    """
    from t3d.demo.page import summary as write_summary

    write_summary(demo_dir)


def info(model: str, *, json: bool = False) -> None:
    """Say what a trained model takes and gives.

    Args:
        model: folder of a training's weights, a bundle that has them, or its zip.
        json: as JSON.
    """
    from json import dumps

    from t3d.api.info import as_text, describe

    facts = describe(model)
    sys.stdout.write((dumps(facts, indent=2) if flag("json", json) else as_text(facts)) + "\n")


def export(
    bundle_root: str,
    *,
    out_dir: str,
    ckpt_dir: str | None = None,
    image: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write a bundle's trained network as ONNX, compared with the network itself.

    Args:
        bundle_root: folder of the bundle.
        out_dir: folder for model.onnx (t3d_segmentation apart also head.onnx) and export.json.
        ckpt_dir: folder with model.pt; the bundle's models if not given.
        image: a CT file whose windows are compared too, beside made-up ones.
        overwrite: replace an earlier export in the folder.
    """
    from t3d.export.command import export_bundle

    export_bundle(bundle_root, out_dir=out_dir, ckpt_dir=ckpt_dir, image=image, overwrite=overwrite)
