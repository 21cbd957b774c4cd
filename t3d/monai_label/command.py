"""The command `t3d label_app`."""

import logging
from pathlib import Path


def label_app(bundle: str, *, app_dir: str, models: str | None = None) -> None:
    """Put a trained bundle into a MONAI Label app, with the labels of its model, ready to serve and to train on.

    Start the server as docs/monai_label.md says. Nothing is overwritten: a bundle that is there already, with what
    annotators taught it, must be moved away first.

    Args:
        bundle: folder of the bundle: t3d_segmentation or t3d_classification.
        app_dir: the app, made by `monailabel apps --download --name monaibundle --output apps`.
        models: folder with model.pt and model.json, as training left them; the bundle's own models/ if not given.
    """
    from t3d.monai_label.install import install_bundle

    folder = install_bundle(
        Path(str(bundle)), app_dir=Path(str(app_dir)), models=Path(str(models)) if models else None
    )
    logging.getLogger(__name__).info("installed %s; restart the server to serve it", folder)
