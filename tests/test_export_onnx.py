import importlib

import pytest
import torch
from torch import nn

from t3d.errors import T3DError
from t3d.export import onnx_model
from t3d.export.onnx_model import OPSET, onnx_bytes, package_versions
from t3d.export.parts import MAIN, Part
from t3d.export.program import export_program
from t3d.export.session import OnnxSession


@pytest.fixture(scope="module")
def part():
    torch.manual_seed(0)
    return Part(
        MAIN, nn.Conv3d(1, 2, 3).eval(), {"image": torch.rand(2, 1, 8, 8, 8)}, ("pred",), {"image": {0: ("batch", 9)}}
    )


@pytest.fixture(scope="module")
def model(part):
    pytest.importorskip("onnxscript")
    return onnx_bytes(export_program(part), part)


@torch.no_grad()
def test_names_axes_and_opset_are_as_asked_for(model, part):
    onnx = pytest.importorskip("onnx")
    session = OnnxSession(model)
    assert session.shapes == {"image": ["batch", 1, 8, 8, 8]} and session.outputs == {"pred": ["batch", 2, 6, 6, 6]}
    assert [found.version for found in onnx.load_from_string(model).opset_import if found.domain == ""] == [OPSET]
    image = torch.rand(5, 1, 8, 8, 8)
    assert torch.allclose(session(image=image)["pred"], part.module(image), atol=1e-6)
    half = session(image=image.to(torch.bfloat16))["pred"]
    assert half.dtype == torch.float32


def test_inputs_that_do_not_fit_are_named(model):
    session = OnnxSession(model)
    for image in (torch.rand(1, 1, 8, 8, 9), torch.rand(1, 8, 8, 8)):
        with pytest.raises(T3DError, match=r"takes .*'batch', 1, 8, 8, 8.*, not image of shape"):
            session(image=image)
    with pytest.raises(T3DError, match="not volume of shape"):
        session(volume=torch.rand(1, 1, 8, 8, 8))


def test_files_that_are_no_models_and_absent_providers_are_named(model, tmp_path):
    with pytest.raises(T3DError, match="there is no .*model.onnx; make it with t3d export"):
        OnnxSession(tmp_path / "model.onnx")
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(T3DError, match=r"onnxruntime cannot read .*model.onnx"):
        OnnxSession(tmp_path / "model.onnx")
    with pytest.raises(T3DError, match="has no TensorrtExecutionProvider, only .*CPUExecutionProvider"):
        OnnxSession(model, providers=["TensorrtExecutionProvider"])


def test_missing_packages_come_with_the_pip_line(monkeypatch, tmp_path):
    real = importlib.import_module

    def absent(name, *args):
        if name in ("onnxscript", "onnxruntime"):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(onnx_model.importlib, "import_module", absent)
    with pytest.raises(T3DError, match="needs onnxscript, onnxruntime: pip install onnx onnxscript onnxruntime"):
        package_versions()
    with pytest.raises(T3DError, match="pip install onnxruntime"):
        OnnxSession(tmp_path / "model.onnx")
