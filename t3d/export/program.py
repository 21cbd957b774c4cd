"""A part as a program of torch.export, which torch turns into ONNX."""

import torch
from torch.export import Dim, ExportedProgram

from t3d.export.instance_norm import with_staged_norms
from t3d.export.parts import Part


def export_program(part: Part) -> ExportedProgram:
    """Export a part with its dynamic axes (``torch.export``, non-strict).

    Its instance normalisations are those of ``t3d.export.instance_norm``. TorchScript is no way out: MONAI's SwinUNETR
    cannot be scripted, and its trace holds only at the traced size.
    """
    module = with_staged_norms(part.module).eval()
    with torch.no_grad():
        return torch.export.export(
            module, tuple(part.inputs.values()), dynamic_shapes=dynamic_shapes(part), strict=False
        )


def dynamic_shapes(part: Part) -> tuple[dict[int, Dim], ...]:
    """The dynamic axes of each input, as torch.export takes them; axes of one name have one length."""
    dims: dict[str, Dim] = {}
    for axes in part.dynamic.values():
        for name, most in axes.values():
            dims.setdefault(name, Dim(name, min=1, max=most))
    return tuple({axis: dims[name] for axis, (name, _) in part.dynamic.get(key, {}).items()} for key in part.inputs)
