import importlib
import importlib.util
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
# what went without a new place: parts of commands, which no configuration names; an empty text is the whole module
GONE = {
    "t3d.export.compare": "as_named",
    "t3d.export.program": "program_bytes",
    "t3d.pack.container": "FolderPackage ZipPackage",
    "t3d.pack.hub_layout": "",
    "t3d.pack.large_files": "entries_of",
    "t3d.pack.manifest": "",
    "t3d.pack.verify": "check_hash check_names read_blocks read_manifest verify_package",
    "t3d.pack.zoo_rules": "",
}
PACKAGE = REPOSITORY / "t3d"


def in_a_process(code: str) -> str:
    line = [sys.executable, "-W", "always::DeprecationWarning:__main__", "-c", code]
    result = subprocess.run(line, env=environment(), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


@pytest.mark.parametrize("module", [module for module in OLD if GONE.get(module) != ""])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_old_path_leads_to_the_same_object(module):
    found = importlib.import_module(module)
    now = renamed.new_path(module) or module
    if module != "t3d.engines":
        assert found is importlib.import_module(now)
        assert found.__name__ == found.__spec__.name == now
        assert (PACKAGE.parent / now.replace(".", "/")).with_suffix(".py").is_file() or found.__path__
    for name in set(OLD[module]) - set(GONE.get(module, "").split()):
        one = getattr(found, name)
        if isclass(one) or isfunction(one):
            assert one.__module__ not in renamed.MODULES
            assert getattr(sys.modules[one.__module__], one.__name__) is one


def test_the_table_has_no_path_that_never_was_or_still_is():
    assert set(renamed.MODULES) <= set(OLD)
    for old in renamed.MODULES:
        path = PACKAGE.parent / old.replace(".", "/")
        assert not path.with_suffix(".py").exists() and not (path / "__init__.py").exists(), old


def test_what_went_is_gone():
    for module, names in GONE.items():
        if not names:
            assert importlib.util.find_spec(module) is None, module
        for name in names.split():
            assert name in OLD[module] and not hasattr(importlib.import_module(module), name), name


OLD_IMPORTS = {
    "path": "import t3d.engines.pictures\nfrom t3d.engines.pictures import RestorationPictures\n"
    "import t3d.train.pictures as new\n"
    "assert new.RestorationPictures is RestorationPictures and t3d.engines.pictures is new\n",
    "class": "from t3d.train.trainer import ClippingTrainer, GuardedTrainer\n"
    "assert ClippingTrainer is GuardedTrainer\n",
    "name": "from t3d.data.datalist import find_cases\nfrom t3d.data.datalist import find_cases as again\n"
    "from t3d.data.inference_cases import find_cases as new\nassert new is find_cases is again\n",
}


@pytest.fixture(scope="module")
def old_imports():
    """What each of these says, one after the other in one process, most of whose time is imports."""
    code = "".join(f"{one}sys.stderr.write('next\\n')\n" for one in OLD_IMPORTS.values())
    return dict(zip(OLD_IMPORTS, in_a_process(f"import sys\n{code}").split("next\n"), strict=False))


def test_an_old_path_warns_once_and_names_both(old_imports):
    said = old_imports["path"]
    assert said.count("DeprecationWarning") == 1, said
    assert "t3d.engines.pictures is now t3d.train.pictures" in said


def test_a_class_with_a_new_name_is_found_under_the_old_one(old_imports):
    assert "t3d.train.trainer.ClippingTrainer is now t3d.train.trainer.GuardedTrainer" in old_imports["class"]


def test_a_name_that_left_its_module_warns_once(old_imports):
    said = old_imports["name"]
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
    for was, gone in renamed.NAMES.items():
        for name, new in gone.items():
            module, _, now = new.partition(":")
            old[f"{module}.{now or name}"] = f"{was}.{name}"
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
