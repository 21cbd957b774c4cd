"""What all features that a frozen text encoder computes once have in common: encoder, files, names."""

import hashlib
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from t3d.errors import T3DError
from t3d.reports.feature_file import is_whole
from t3d.reports.tokens import ReportTokenizer

logger = logging.getLogger(__name__)


class FrozenFeatures(ABC):
    """Files of features, one per distinct report, whose name depends on all that decides what is in them.

    A name is a sha256 over the kind of features, the encoder's and the tokenizer's identity and the sentences, so any
    change of these computes the file anew. Files are replaced atomically: several processes may fill one folder.
    Pickling leaves the encoder behind, so that loader workers carry only paths.

    Args:
        encoder: (B, L) padded token ids -> (B, L, D), with ``identity`` and ``width``. Must be frozen. Or a
            ``functools.partial`` that makes it, called when the first report is needed: a configuration can then be
            looked at where the encoder is not at hand.
        tokenizer: the encoder's Hugging Face tokenizer, or a ``functools.partial`` that makes it.
        cache_dir: folder of the files; made if it is not there.
        options: of ``ReportTokenizer``, which is at ``.reports``, ``max_tokens`` among them.

    Raises:
        T3DError: the encoder learns, or reads fewer than ``max_tokens`` tokens (with a partial: when it is made).
    """

    # kind and version of the features; what a file holds beside them; what messages call them
    _format: str
    _beside: tuple[str, ...]
    _called: str

    def __init__(self, *, encoder: Any, tokenizer: Any, cache_dir: str | Path, options: dict[str, Any]) -> None:
        self.cache_dir = Path(cache_dir)
        self.max_tokens = options["max_tokens"]
        self._options = options
        self._make_tokenizer = tokenizer
        self.encoder = encoder
        if not isinstance(encoder, partial):
            self._encoder_facts  # noqa: B018 - what is wrong with it is said now

    @cached_property
    def reports(self) -> ReportTokenizer:
        """Turns a report into sentences and tokens."""
        made = self._make_tokenizer() if isinstance(self._make_tokenizer, partial) else self._make_tokenizer
        return ReportTokenizer(made, **self._options)

    @property
    def identity(self) -> str:
        """Which encoder the features come from."""
        return self._encoder_facts[0]

    @property
    def width(self) -> int:
        """Features of a token or a sentence, D."""
        return self._encoder_facts[1]

    @cached_property
    def _prefix(self) -> list[str]:
        return [self._format, self.identity, self.reports.identity]

    @cached_property
    def _encoder_facts(self) -> tuple[str, int]:
        if isinstance(self.encoder, partial):
            self.encoder = self.encoder()
        encoder = self.encoder
        if isinstance(encoder, nn.Module) and any(p.requires_grad for p in encoder.parameters()):
            raise T3DError(
                "the text encoder learns, so its features change: pass --trained_text_layers 0 or --report_cache False"
            )
        limit = getattr(encoder, "max_tokens", self.max_tokens)
        if self.max_tokens > limit:
            raise T3DError(f"max_tokens {self.max_tokens} is above the text encoder's limit: choose at most {limit}")
        return str(encoder.identity), int(encoder.width)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the encoder; what is derived from it is made first."""
        self._prefix  # noqa: B018 - a loader worker must not load the encoder to know these
        return {**self.__dict__, "encoder": None, "_make_tokenizer": None}

    def release(self) -> None:
        """Forget the encoder, to free its memory; the files are all that is needed afterwards."""
        self._prefix  # noqa: B018 - they name the files and are known from the encoder
        self.encoder = None

    def files(self, items: Iterable[Mapping[str, Any]], *, key: str = "report") -> list[Path]:
        """The files of the distinct reports of a list, in an order that does not depend on that of the items.

        Args:
            items: datalist items with the text under ``key`` and a ``case_id``. What is not in the cache is computed.
            key: of the text.

        Raises:
            T3DError: a report is missing or empty, or has to be computed and the encoder was released.
        """
        found: set[Path] = set()
        for item in items:
            text, case_id = item.get(key), str(item.get("case_id", "?"))
            path = self._look_up(text, case_id)[0]
            if path not in found and not self._cached(path, case_id):
                self.get(text, case_id)
            found.add(path)
        return sorted(found)

    @abstractmethod
    def get(self, text: Any, case_id: str = "?") -> Any:
        """Look up one report; compute it if it is not in the cache and the encoder is still there."""

    @abstractmethod
    def _look_up(self, text: Any, case_id: str) -> tuple[Path, Any]:
        """The file of a report, and what is known of it besides."""

    def loaded(self) -> Any:
        """The encoder, made if it was not yet; None after ``release``."""
        self._encoder_facts  # noqa: B018 - makes it
        return self.encoder

    def _path(self, sentences: Sequence[str]) -> Path:
        name = hashlib.sha256(json.dumps([*self._prefix, sentences]).encode()).hexdigest()
        return self.cache_dir / name[:2] / f"{name}.safetensors"

    def _cached(self, path: Path, case_id: str) -> bool:
        if not path.is_file():
            return False
        if not is_whole(path, self.width, beside=self._beside):
            logger.warning("the cached %s of case %s are damaged: computed anew", self._called, case_id)
            return False
        return True

    def _encode(self, ids: Sequence[Tensor], case_id: str = "?") -> list[Tensor]:
        """[(n_i,)] token ids -> [(n_i, D)] float32 on the CPU."""
        if self.encoder is None:
            raise T3DError(
                f"the {self._called} of case {case_id} are not in {self.cache_dir} and the text "
                "encoder is no longer loaded; run precompute on all cases first (start the training again)"
            )
        batch = pad_sequence(list(ids), batch_first=True, padding_value=self.reports.pad_id)
        with torch.no_grad():
            features = self.encoder(batch.to(_device(self.encoder))).float().cpu()
        return [values[: len(i)] for values, i in zip(features, ids, strict=True)]


def _device(encoder: Any) -> torch.device:
    parameters = encoder.parameters() if isinstance(encoder, nn.Module) else iter(())
    return next((p.device for p in parameters), torch.device("cpu"))
