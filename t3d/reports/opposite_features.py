"""Features of the opposites of a report's sentences, row by row beside those of the sentences."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from t3d.reports.opposite_sentences import opposite_sentence
from t3d.reports.sentence_features import SentenceFeatures


class OppositeFeatures:
    """What ``opposite_sentence`` makes of each sentence, as features in a cache of its own.

    Args:
        sentences: features of the sentences themselves.
        encoder, tokenizer, cache_dir, max_tokens, sections: as those of ``sentences``, but for the folder.
    """

    def __init__(
        self,
        sentences: SentenceFeatures,
        *,
        encoder: Any,
        tokenizer: Any,
        cache_dir: str | Path,
        max_tokens: int = 256,
        sections: Sequence[str] = ("impression",),
    ) -> None:
        self.sentences = sentences
        self._cache = _OppositeCache(
            encoder=encoder, tokenizer=tokenizer, cache_dir=cache_dir, max_tokens=max_tokens, sections=sections
        )
        self.precompute = self._cache.precompute

    def get(self, text: Any, case_id: str = "?") -> Tensor:
        """Rows (R, T) float32 in the order of ``SentenceFeatures.get(text).said``.

        A sentence whose opposite the encoder does not know has its own feature there: nothing can be asked of it.

        Raises:
            T3DError: as ``SentenceFeatures.get``.
        """
        item = {"report": text, "case_id": case_id}
        said, opposite = (
            safetensors.torch.load_file(cache.files([item])[0]) for cache in (self.sentences, self._cache)
        )
        rows = opposite["features"].where(opposite["known"].unsqueeze(1), said["features"])
        return rows[said["known"]]


class _OppositeCache(SentenceFeatures):
    _format = "t3d opposite features 1"
    _called = "features of opposites"

    def _texts(self, text: Any, case_id: str) -> list[str]:
        return [opposite_sentence(sentence) for sentence in super()._texts(text, case_id)]
