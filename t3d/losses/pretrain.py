"""The sum of the pre-training losses."""

from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.losses.alignment import GlobalAlignment
from t3d.losses.contrast import TextInformedContrast
from t3d.losses.report_contrast import ReportContrast
from t3d.losses.restoration import TextInformedRestoration
from t3d.losses.sentence_answers import RAW, SentenceTask
from t3d.losses.sentence_clusters import SentenceClusters
from t3d.losses.sentence_contrast import SentenceContrast
from t3d.losses.sentence_opposites import SentenceOpposites
from t3d.losses.sentence_pairs import SentencePairs

# what of the network's output tells that it was built for a part, and how to build it so
_NEEDS = {
    "contrast": ("anchor", "use_contrast true, and give corrupted views"),
    "restoration": ("restored", "use_restoration true, and give corrupted views"),
    "sentences": ("sentence", "use_text and use_sentences true, and give windows and sentences"),
    "alignment": ("report", "use_text true and use_alignment true (overlay align.json)"),
}
_SAID = ("spoken", "owner", "said", "said_mask")
# what is asked about sentences, and what of the output it reads beside the volumes' vectors
_SENTENCE_TASKS = {
    "volumes": (SentenceContrast, ("sentence", *_SAID)),
    "pairs": (SentencePairs, ("sentence", *_SAID)),
    "report": (ReportContrast, ("sentence", *_SAID)),
    "opposites": (SentenceOpposites, ("sentence", "opposite", "opposed", *_SAID)),
    "clusters": (SentenceClusters, ("cluster", "cluster_share", "cluster_said")),
}
SENTENCE_TASKS = tuple(_SENTENCE_TASKS)


class PretrainLoss(nn.Module):
    """L = lambda_C L_TIC + lambda_R L_TIR + lambda_S L_SC + lambda_G L_GA on the output of ``PretrainNetwork``.

    The parts are left in the output under ``losses`` (detached), where handlers log them. A weight of 0 leaves a part
    out.

    Args:
        temperature: of the contrasts and of the alignment.
        contrast_weight: lambda_C.
        restoration_weight: lambda_R.
        sentence_weight: lambda_S; 0 (the paper's recipes) leaves sentences out.
        sentence_task: what is asked about sentences: which of the ``volumes`` says one (the default), which ``pairs``
            of sentence and volume fit, which volume the sentences of a ``report`` together describe, whether a volume
            shows a sentence or its ``opposites``, which ``clusters`` of sentences it holds.
        alignment_weight: lambda_G; 0 (the paper's v1 recipe) leaves the alignment out.
        corrupted_weight: see ``TextInformedRestoration``.
        standardised: whether the network standardises text features; sentences are compared accordingly.

    Raises:
        T3DError: a weight below 0, or all of them 0.
    """

    def __init__(
        self,
        *,
        temperature: float = 0.1,
        contrast_weight: float = 1.0,
        restoration_weight: float = 1.0,
        sentence_weight: float = 0.0,
        sentence_task: str = "volumes",
        alignment_weight: float = 0.0,
        corrupted_weight: float = 0.0,
        standardised: bool = True,
    ) -> None:
        super().__init__()
        self.weights = {
            "contrast": contrast_weight,
            "restoration": restoration_weight,
            "sentences": sentence_weight,
            "alignment": alignment_weight,
        }
        if min(self.weights.values()) < 0 or not any(self.weights.values()):
            raise T3DError(
                f"loss weights {', '.join(f'{name} {weight}' for name, weight in self.weights.items())}: none may be "
                "below 0, and one must be above it"
            )
        self.contrast = TextInformedContrast(temperature=temperature)
        self.restoration = TextInformedRestoration(corrupted_weight=corrupted_weight)
        if sentence_task not in _SENTENCE_TASKS:
            raise T3DError(f"sentence_task {sentence_task!r} is unknown; choose one of {', '.join(SENTENCE_TASKS)}")
        task, self._sentence_keys = _SENTENCE_TASKS[sentence_task]
        raw = RAW if not standardised and issubclass(task, SentenceTask) else {}
        self.sentences = task(temperature=temperature, **raw)
        self.alignment = GlobalAlignment(temperature=temperature)

    def forward(self, output: dict, target: Tensor | None = None) -> Tensor:
        """Return the scalar loss. ``target`` is unused: the target is the clean crop, which ``output`` carries."""
        parts = {name: self._part(name, output) for name, weight in self.weights.items() if weight}
        output["losses"] = {name: part.detach() for name, part in parts.items()}
        loss, *others = [self.weights[name] * part for name, part in parts.items()]
        for other in others:
            loss = loss + other
        return loss

    def _part(self, name: str, output: dict) -> Tensor:
        needed, remedy = _NEEDS[name]
        if needed not in output:
            raise T3DError(f"the weight of {name} is set but the network gives no {needed}: build it with {remedy}")
        patient = output.get("patient")
        if name == "contrast":
            return self.contrast(output["anchor"], output["candidate"], patient)
        if name == "restoration":
            return self.restoration(output["restored"], output["clean"], output["corrupted"])
        if name == "sentences":
            lacking = [key for key in self._sentence_keys if key not in output]
            if lacking:
                raise T3DError(
                    f"the task of sentences reads {', '.join(lacking)}, which the network does not give: build it for "
                    "the same sentence_task"
                )
            asked = {key: output[key] for key in self._sentence_keys}
            if isinstance(self.sentences, SentenceTask):
                asked["patient"] = patient
            return self.sentences(output["volume"], **asked)
        return self.alignment(output["volume"], output["report"], output.get("report_id"), patient)
