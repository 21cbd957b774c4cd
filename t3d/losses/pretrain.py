"""The sum of the pre-training losses."""

from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.losses.alignment import GlobalAlignment
from t3d.losses.contrast import TextInformedContrast
from t3d.losses.restoration import TextInformedRestoration


class PretrainLoss(nn.Module):
    """L = L_TIC + lambda_R L_TIR + lambda_G L_GA on the output of ``PretrainNetwork``.

    The parts are left in the output under ``losses`` (detached), where handlers log them.

    Args:
        temperature: of the contrast and of the alignment.
        restoration_weight: lambda_R.
        alignment_weight: lambda_G; 0 (the paper's v1 recipe) leaves the alignment out.
        corrupted_weight: see ``TextInformedRestoration``.
    """

    def __init__(
        self,
        *,
        temperature: float = 0.1,
        restoration_weight: float = 1.0,
        alignment_weight: float = 0.0,
        corrupted_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.contrast = TextInformedContrast(temperature=temperature)
        self.restoration = TextInformedRestoration(corrupted_weight=corrupted_weight)
        self.alignment = GlobalAlignment(temperature=temperature)
        self.restoration_weight = restoration_weight
        self.alignment_weight = alignment_weight

    def forward(self, output: dict, target: Tensor | None = None) -> Tensor:
        """Return the scalar loss. ``target`` is unused: the target is the clean crop, which ``output`` carries."""
        patient = output.get("patient")
        parts = {
            "contrast": self.contrast(output["anchor"], output["candidate"], patient),
            "restoration": self.restoration(output["restored"], output["clean"], output["corrupted"]),
        }
        loss = parts["contrast"] + self.restoration_weight * parts["restoration"]
        if self.alignment_weight:
            if "report" not in output:
                raise T3DError(
                    "alignment_weight is set but the network has no report embedding: build it with "
                    "use_text true and use_alignment true (overlay align.json)"
                )
            parts["alignment"] = self.alignment(output["volume"], output["report"], output.get("report_id"), patient)
            loss = loss + self.alignment_weight * parts["alignment"]
        output["losses"] = {name: part.detach() for name, part in parts.items()}
        return loss
