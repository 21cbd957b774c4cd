import json
import shutil
from pathlib import Path

import pytest
from segmentation_runs import BUNDLE

import t3d
from t3d.cli import main
from t3d.errors import T3DError
from t3d.monai_label.install import install_bundle


@pytest.fixture
def app(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("")
    return tmp_path / "app"


def test_an_installed_bundle_has_all_it_needs_and_no_checkpoints(trained_segmentation, app):
    main(["label_app", str(BUNDLE), "--app_dir", str(app), "--models", str(trained_segmentation / "models")])
    folder = app / "model" / "t3d_segmentation"
    assert sorted(path.name for path in folder.iterdir()) == ["LICENSE", "configs", "docs", "models", "t3d"]
    assert sorted(path.name for path in (folder / "models").iterdir()) == ["model.json", "model.pt"]
    own = Path(t3d.__file__).parent
    for file in own.rglob("*"):
        if file.suffix in (".py", ".json"):
            assert (folder / "t3d" / file.relative_to(own)).read_bytes() == file.read_bytes()
    assert not list(folder.rglob("__pycache__"))
    labels = json.loads((folder / "models" / "model.json").read_text())["labels"]
    channels = json.loads((folder / "configs" / "metadata.json").read_text())["network_data_format"]["outputs"]["pred"]
    assert {int(place): name for place, name in channels["channel_def"].items()} == {v: k for k, v in labels.items()}
    with pytest.raises(T3DError, match="is there already"):
        install_bundle(BUNDLE, app_dir=app, models=trained_segmentation / "models")


def test_what_cannot_be_served_is_refused_and_leaves_nothing(trained_segmentation, app, tmp_path):
    models = tmp_path / "models"
    shutil.copytree(trained_segmentation / "models", models)
    pretrain = BUNDLE.with_name("t3d_pretrain")
    cases = [
        ({"bundle": pretrain, "app_dir": app}, "none of the bundles MONAI Label can serve"),
        ({"bundle": BUNDLE, "app_dir": tmp_path}, "is no MONAI Label app .*monailabel apps --download"),
        ({"bundle": BUNDLE, "app_dir": app, "models": tmp_path}, "model.pt does not exist"),
    ]
    for options, words in cases:
        with pytest.raises(T3DError, match=words):
            install_bundle(**options)
    shutil.copy(models / "checkpoint_epoch=2.pt", models / "model.pt")
    with pytest.raises(T3DError, match="is not the file that model.json describes"):
        install_bundle(BUNDLE, app_dir=app, models=models)
    assert list(app.iterdir()) == [app / "main.py"]
