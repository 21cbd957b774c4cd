"""The report as MONAI transforms: text to tokens, text to cached features, and hidden sentences."""

import logging
import numbers
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform
from torch import Tensor

from t3d.errors import T3DError
from t3d.reports.sections import SECTIONS
from t3d.reports.tokens import ReportTokenizer

logger = logging.getLogger(__name__)


class TokenizeReportd(MapTransform):
    """Replace a report's text by token ids (the live way: the text encoder runs in the network).

    For a key ``report`` of L = ``max_tokens`` the item then holds ``report`` (L,) int64 padded ids,
    ``report_mask`` (L,) bool, True where a token may be read, ``report_sentence`` (L,) int64, the sentence of
    each token and -1 for special and padding tokens, and ``report_id`` () int64, equal for equal cleaned
    reports. The text is gone.

    Args:
        keys: key of the text.
        tokenizer: a Hugging Face tokenizer, see ``t3d.networks.text_encoder.load_tokenizer``.
        max_tokens, sections, drop_comparisons: see ``ReportTokenizer``, which is at ``.reports`` and counts the
            reports it cut.
        allow_missing_keys: leave an item without the key alone; otherwise it is an error.

    Raises:
        T3DError: the case has no report or an empty one.
    """

    def __init__(
        self,
        keys: KeysCollection = "report",
        tokenizer: Any = None,
        *,
        max_tokens: int = 256,
        sections: Sequence[str] = SECTIONS,
        drop_comparisons: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.reports = ReportTokenizer(
            tokenizer, max_tokens=max_tokens, sections=sections, drop_comparisons=drop_comparisons
        )

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Tokenise the report of one item."""
        item = dict(data)
        for key in self.keys:
            if key not in item and self.allow_missing_keys:
                continue
            case_id = str(item.get("case_id", "?"))
            none_cut = not self.reports.cut_cases
            tokens, number = self.reports.read(item.get(key), case_id)
            if tokens.cut and none_cut:
                logger.warning("reports over max_tokens=%d are cut at a sentence", self.reports.max_tokens)
            visible = torch.ones(len(tokens.ids), dtype=torch.bool)
            item[key] = self.reports.pad(tokens.ids, self.reports.pad_id)
            item[f"{key}_mask"] = self.reports.pad(visible, False)
            item[f"{key}_sentence"] = self.reports.pad(tokens.sentence, -1)
            item[f"{key}_id"] = torch.tensor(number)
        return item


class EncodeReportd(MapTransform):
    """Replace a report's text by its cached token features (only with a frozen text encoder).

    Same keys as ``TokenizeReportd``, but ``report`` is (L, D) float32, zero in the padding.

    Args:
        keys: key of the text.
        features: ``t3d.reports.features.ReportFeatures``, or what has its ``get`` and ``report_id``.
        allow_missing_keys: leave an item without the key alone; otherwise it is an error.

    Raises:
        T3DError: the case has no report or an empty one, or its features are not in the cache.
    """

    def __init__(
        self, keys: KeysCollection = "report", features: Any = None, *, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.features = features

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Look up the report of one item."""
        item = dict(data)
        for key in self.keys:
            if key not in item and self.allow_missing_keys:
                continue
            text, case_id = item.get(key), str(item.get("case_id", "?"))
            item[key], item[f"{key}_mask"], item[f"{key}_sentence"] = self.features.get(text, case_id)
            item[f"{key}_id"] = torch.tensor(self.features.report_id(text, case_id))
        return item


class RandSentencesd(RandomizableTransform, MapTransform):
    """Hide whole sentences of a report from the cross-attention (ours).

    Only the mask changes: the text encoder always reads the whole report, so a visible token's features are
    the same whether they come live or from the cache, and whichever sentences are hidden. Special tokens stay
    visible (they have read the hidden sentences too), and so does at least one sentence. Needs
    ``report_sentence``.

    Args:
        keys: key of the mask; ``report_mask`` goes with ``report_sentence``. sentences: "all"; a float in (0,
        1], the share of sentences that stay (rounded); or an int, how many stay.
            So 1.0 is all of them and 1 is one.
        allow_missing_keys: leave an item without the key alone.

    Raises:
        T3DError: ``sentences`` is none of these.
    """

    def __init__(
        self,
        keys: KeysCollection = "report_mask",
        *,
        sentences: str | float | int = "all",
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob=1.0)
        if isinstance(sentences, str):
            known = sentences == "all"
        elif isinstance(sentences, float):
            known = 0 < sentences <= 1
        else:
            known = isinstance(sentences, numbers.Integral) and not isinstance(sentences, bool) and sentences >= 1
        if not known:
            raise T3DError(f'sentences {sentences!r} must be "all", a share in (0, 1] or a whole number from 1 on')
        self.sentences = sentences

    def kept(self, count: int) -> int:
        """How many of ``count`` sentences stay visible."""
        if isinstance(self.sentences, str):
            return count
        wanted = round(self.sentences * count) if isinstance(self.sentences, float) else self.sentences
        return min(count, max(1, wanted))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Hide sentences of one item."""
        item = dict(data)
        for key in self.key_iterator(item):
            sentence: Tensor = item[str(key).removesuffix("_mask") + "_sentence"]
            present = torch.unique(sentence[sentence >= 0])
            kept = self.kept(len(present))
            if kept < len(present):
                self.randomize(None)
                chosen = self.R.permutation(len(present))[:kept]
                item[key] = item[key] & ((sentence < 0) | torch.isin(sentence, present[torch.as_tensor(chosen)]))
        return item
