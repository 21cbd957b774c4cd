import importlib
import json
import re
import subprocess
import sys
import warnings
from inspect import isclass, isfunction
from pathlib import Path

import pytest
from bundle_runs import REPOSITORY, environment
from monai.bundle import ConfigWorkflow
from segmentation_runs import NAMES as CONFIGS
from segmentation_runs import TINY, config_files, places

from t3d import renamed

# module of 0.1.0 -> its public classes and functions
OLD = {
    module: names.split()
    for module, names in json.loads((Path(__file__).parent / "golden" / "module_paths_0.1.json").read_text()).items()
}
PACKAGE = REPOSITORY / "t3d"


def in_a_process(code: str) -> str:
    line = [sys.executable, "-W", "always::DeprecationWarning:__main__", "-c", code]
    result = subprocess.run(line, env=environment(), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


@pytest.mark.parametrize("module", OLD)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_old_path_leads_to_the_same_object(module):
    found = importlib.import_module(module)
    now = renamed.new_path(module) or module
    if module != "t3d.engines":
        assert found is importlib.import_module(now)
        assert found.__name__ == found.__spec__.name == now
        assert (PACKAGE.parent / now.replace(".", "/")).with_suffix(".py").is_file() or found.__path__
    for name in OLD[module]:
        one = getattr(found, name)
        if isclass(one) or isfunction(one):
            assert one.__module__ not in renamed.MODULES
            assert getattr(sys.modules[one.__module__], name) is one


def test_the_table_has_no_path_that_never_was_or_still_is():
    assert set(renamed.MODULES) <= set(OLD)
    for old in renamed.MODULES:
        path = PACKAGE.parent / old.replace(".", "/")
        assert not path.with_suffix(".py").exists() and not (path / "__init__.py").exists(), old


def test_an_old_path_warns_once_and_names_both():
    said = in_a_process(
        "import t3d.engines.pictures\nfrom t3d.engines.pictures import RestorationPictures\n"
        "import t3d.train.pictures as new\n"
        "assert new.RestorationPictures is RestorationPictures and t3d.engines.pictures is new\n"
    )
    assert said.count("DeprecationWarning") == 1, said
    assert "t3d.engines.pictures is now t3d.train.pictures" in said


def test_a_class_with_a_new_name_is_found_under_the_old_one():
    said = in_a_process(
        "from t3d.train.trainer import ClippingTrainer, GuardedTrainer\nassert ClippingTrainer is GuardedTrainer\n"
    )
    assert "t3d.train.trainer.ClippingTrainer is now t3d.train.trainer.GuardedTrainer" in said


def test_a_name_that_left_its_module_warns_once():
    said = in_a_process(
        "from t3d.data.datalist import find_cases\nfrom t3d.data.datalist import find_cases as again\n"
        "from t3d.data.inference_cases import find_cases as new\nassert new is find_cases is again\n"
    )
    assert said.count("DeprecationWarning") == 1, said
    assert "t3d.data.datalist.find_cases is now t3d.data.inference_cases.find_cases" in said


def test_a_name_that_never_was_is_no_module_and_no_attribute():
    for name in ("t3d.engines.nothing", "t3d.data.phantoms.nothing", "t3d.nothing"):
        with warnings.catch_warnings(), pytest.raises(ModuleNotFoundError, match=name):
            warnings.simplefilter("ignore")
            importlib.import_module(name)
    with pytest.raises(AttributeError, match="nothing"):
        _ = importlib.import_module("t3d.data.datalist").nothing


def test_no_new_path_warns_and_the_table_imports_nothing():
    said = in_a_process("import sys, t3d\nprint(sorted(name for name in sys.modules if name.startswith('t3d.')))\n")
    assert said.strip() == "['t3d.renamed']"


def test_configurations_with_old_paths_train(few, tmp_path):
    old = {f"{new}.{name}": f"{was}.{name}" for was, new in renamed.MODULES.items() for name in OLD[was]}
    old |= {f"{new}.{name}": f"{was}.{name}" for was, gone in renamed.NAMES.items() for name, new in gone.items()}
    files, changed = [], set()
    for file in map(Path, config_files(*CONFIGS)):
        text = file.read_text()
        for new, was in old.items():
            text, count = re.subn(rf"{re.escape(new)}(?!\w)", was, text)
            changed |= {was} if count else set()
        files.append(str(tmp_path / file.name))
        Path(files[-1]).write_text(text)
    assert "t3d.engines.training_state.TrainingState" in changed
    options = {**places(few, tmp_path), **TINY, "max_epochs": 1}
    workflow = ConfigWorkflow(config_file=files, workflow_type="train", logging_file=False, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        workflow.initialize()
        workflow.run()
        workflow.finalize()
    assert (tmp_path / "models" / "model.pt").is_file()
