"""Token features of reports, computed once per distinct report and kept on disk without the text."""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from t3d.errors import T3DError
from t3d.reports.feature_file import is_whole, read_features, write_features
from t3d.reports.once import Once
from t3d.reports.sections import SECTIONS
from t3d.reports.tokens import ReportTokenizer, report_number

logger = logging.getLogger(__name__)

_FORMAT = "t3d report features 1"
_KEPT = 65536  # reports whose file and number a process keeps: some 400 bytes each


class ReportFeatures:
    """The cached way of reading reports, for a frozen text encoder.

    One safetensors file per distinct report holds ``features`` (n, D) float32 and ``sentence`` (n,) int32 of
    its n tokens. Its name is a sha256 over the encoder's and the tokenizer's identity, ``max_tokens``,
    ``sections`` and the cleaned sentences, so any change of these computes it anew. Neither text nor token
    ids are stored. Files are replaced atomically: several processes may fill one folder. Pickling leaves the
    encoder behind, so that loader workers carry only paths and the tokenizer.

    Args:
        encoder: (B, L) padded token ids -> (B, L, D), with ``identity`` and ``width``. Must be frozen. Or a
            ``functools.partial`` that makes it, called when the first report is needed: a configuration can then be
            looked at where the encoder is not at hand.
        tokenizer: the encoder's Hugging Face tokenizer, or a ``functools.partial`` that makes it.
        cache_dir: folder of the files; made if it is not there.
        max_tokens, sections, drop_comparisons: see ``ReportTokenizer``, which is at ``.reports`` and counts the
            reports it cut.

    Raises:
        T3DError: the encoder learns, or reads fewer than ``max_tokens`` tokens (with a partial: when it is made).
    """

    def __init__(
        self,
        *,
        encoder: Any,
        tokenizer: Any,
        cache_dir: str | Path,
        max_tokens: int = 256,
        sections: Sequence[str] = SECTIONS,
        drop_comparisons: bool = False,
    ) -> None:
        self.cache_dir = Path(cache_dir)
        self.max_tokens = max_tokens
        self._options: dict[str, Any] = {
            "max_tokens": max_tokens,
            "sections": sections,
            "drop_comparisons": drop_comparisons,
        }
        self._make_tokenizer = tokenizer
        self.encoder = encoder
        self._known: Once[tuple[Path, int]] = Once(_KEPT)
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
        """Features of a token, D."""
        return self._encoder_facts[1]

    @cached_property
    def _prefix(self) -> list[str]:
        return [_FORMAT, self.identity, self.reports.identity]

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

    def precompute(self, items: Iterable[Mapping[str, Any]], *, key: str = "report", batch_size: int = 32) -> int:
        """Compute what is not in the cache or damaged there; log how many reports are cut, and what is [UNK].

        Args:
            items: datalist items with the text under ``key`` and a ``case_id``.
            key: of the text.
            batch_size: reports per encoder call.

        Returns:
            number of reports computed.

        Raises:
            T3DError: a report is missing or empty, the disk is full, or the encoder was released.
        """
        missing: dict[Path, tuple[Tensor, Tensor]] = {}
        seen: set[Path] = set()
        cut, unknown = [], self.reports.unknown_tokens()
        for item in items:
            case_id = str(item.get("case_id", "?"))
            sentences = self.reports.sentences(item.get(key), case_id)
            tokens = self.reports.tokenise(sentences, case_id)
            cut.append(tokens.cut)
            path, number = self._path(sentences), report_number(sentences)
            unknown.add(case_id, tokens.ids, number)
            self._known.put(item[key], (path, number))
            if path not in seen and not self._cached(path, case_id):
                missing[path] = tokens.ids, tokens.sentence
            seen.add(path)
        self.reports.say_cut(sum(cut), len(cut))
        unknown.say(self.reports.name)
        # Like lengths together: less padding to compute.
        order = sorted(missing, key=lambda path: (len(missing[path][0]), path.name))
        done = 0
        for start in range(0, len(order), batch_size):
            paths = order[start : start + batch_size]
            features = self._encode([missing[path][0] for path in paths])
            for path, values in zip(paths, features, strict=True):
                write_features(path, values, missing[path][1])
            tenth = 10 * (start + len(paths)) // len(order)
            if tenth > done:
                done = tenth
                logger.info("report features: %d of %d computed", start + len(paths), len(order))
        logger.info("report features: %d of %d distinct reports were in the cache", len(seen) - len(order), len(seen))
        return len(order)

    def get(self, text: Any, case_id: str = "?") -> tuple[Tensor, Tensor, Tensor]:
        """Look up one report; compute it if it is not in the cache and the encoder is still there.

        Returns:
            features (L, D) float32, zero in the padding; mask (L,) bool; sentence (L,) int64, -1 for special
            and padding tokens; L = ``max_tokens``.

        Raises:
            T3DError: the report is missing or empty, or is not in the cache and the encoder was released.
        """
        path, _ = self._look_up(text, case_id)
        if not self._cached(path, case_id):
            tokens, _ = self.reports.read(text, case_id)
            write_features(path, self._encode([tokens.ids], case_id)[0], tokens.sentence)
        features, sentence = read_features(path)
        visible = torch.ones(len(features), dtype=torch.bool)
        return (
            self.reports.pad(features, 0.0),
            self.reports.pad(visible, False),
            self.reports.pad(sentence, -1),
        )

    __getitem__ = get

    def report_id(self, text: Any, case_id: str = "?") -> int:
        """See ``report_number``."""
        return self._look_up(text, case_id)[1]

    def _look_up(self, text: Any, case_id: str) -> tuple[Path, int]:
        """The file of a report and its number; a text that was looked up before is not cleaned and split again."""

        def make() -> tuple[Path, int]:
            sentences = self.reports.sentences(text, case_id)
            return self._path(sentences), report_number(sentences)

        return self._known.get(text, make) if isinstance(text, str) else make()

    def _path(self, sentences: Sequence[str]) -> Path:
        name = hashlib.sha256(json.dumps([*self._prefix, sentences]).encode()).hexdigest()
        return self.cache_dir / name[:2] / f"{name}.safetensors"

    def _cached(self, path: Path, case_id: str) -> bool:
        if not path.is_file():
            return False
        if not is_whole(path, self.width):
            logger.warning("the cached report features of case %s are damaged: computed anew", case_id)
            return False
        return True

    def _encode(self, ids: Sequence[Tensor], case_id: str = "?") -> list[Tensor]:
        """[(n_i,)] token ids -> [(n_i, D)] float32 on the CPU."""
        if self.encoder is None:
            raise T3DError(
                f"the report features of case {case_id} are not in {self.cache_dir} and the text "
                "encoder is no longer loaded; run precompute on all cases first (start the training again)"
            )
        batch = pad_sequence(list(ids), batch_first=True, padding_value=self.reports.pad_id)
        with torch.no_grad():
            features = self.encoder(batch.to(_device(self.encoder))).float().cpu()
        return [values[: len(i)] for values, i in zip(features, ids, strict=True)]


def check_text_width(features_or_encoder: Any, text_width: int) -> None:
    """Check that the network expects as many channels per report token as the text encoder gives.

    Raises:
        T3DError: they differ; says which ``--text_width`` to give.
    """
    width = features_or_encoder.width
    if width != text_width:
        raise T3DError(
            f"text encoder {features_or_encoder.identity} gives {width} features per token but text_width is "
            f"{text_width}: pass --text_width {width}"
        )


def _device(encoder: Any) -> torch.device:
    parameters = encoder.parameters() if isinstance(encoder, nn.Module) else iter(())
    return next((p.device for p in parameters), torch.device("cpu"))
