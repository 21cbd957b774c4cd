"""An ONNX model that is called with tensors."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from t3d.errors import T3DError
from t3d.export.onnx_model import import_onnxruntime

CPU = ("CPUExecutionProvider",)


class OnnxSession:
    """Runs an ONNX model with onnxruntime, on as many threads as torch uses.

    Args:
        model: path or content of the model.
        providers: of onnxruntime, the first that can run an operation does; others than the CPU's need another
            build of onnxruntime.

    Raises:
        T3DError: no file, no ONNX model, or a provider that this onnxruntime does not have.
    """

    def __init__(self, model: str | Path | bytes, *, providers: Sequence[str] = CPU) -> None:
        onnxruntime = import_onnxruntime()
        self.name = "the model" if isinstance(model, bytes) else str(model)
        if not isinstance(model, bytes) and not Path(model).is_file():
            raise T3DError(f"there is no {model}; make it with t3d export, or give another file.")
        unknown = sorted(set(providers) - set(onnxruntime.get_available_providers()))
        if unknown:
            raise T3DError(
                f"this onnxruntime has no {', '.join(unknown)}, only "
                f"{', '.join(onnxruntime.get_available_providers())}; choose one of them or install another build, "
                "such as onnxruntime-gpu."
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        try:
            content = model if isinstance(model, bytes) else str(model)
            self.session = onnxruntime.InferenceSession(content, options, providers=list(providers))
        except Exception as error:  # onnxruntime's own exceptions have no common class but this one
            raise T3DError(
                f"onnxruntime cannot read {self.name} ({str(error).splitlines()[0]}); export it again."
            ) from error
        self.shapes = {given.name: list(given.shape) for given in self.session.get_inputs()}
        self.outputs = {made.name: list(made.shape) for made in self.session.get_outputs()}

    def __call__(self, **inputs: Tensor) -> dict[str, Tensor]:
        """Outputs by name, on the device of the inputs.

        Raises:
            T3DError: an input of another shape than the model's.
        """
        device = next(iter(inputs.values())).device
        arrays = {}
        for name, tensor in inputs.items():
            wanted = self.shapes.get(name)
            if (
                wanted is None
                or len(wanted) != tensor.ndim
                or any(isinstance(side, int) and side != got for side, got in zip(wanted, tensor.shape, strict=True))
            ):
                raise T3DError(f"{self.name} takes {self.shapes}, not {name} of shape {list(tensor.shape)}.")
            tensor = tensor.detach().cpu()
            arrays[name] = np.ascontiguousarray((tensor.float() if tensor.is_floating_point() else tensor).numpy())
        made = self.session.run(list(self.outputs), arrays)
        return {name: torch.from_numpy(array).to(device) for name, array in zip(self.outputs, made, strict=True)}
