"""A Hugging Face text encoder, frozen or with its last layers trained."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from t3d.errors import T3DError
from t3d.networks.text_encoder_folder import DEFAULT_TEXT_ENCODER, find_text_encoder, folder_identity
from t3d.networks.text_packages import import_for_text

# Missing and unreadable files, unknown architectures, damaged weights; older transformers pass the last two
# through.
_LOADING_FAULTS = (
    OSError,
    ValueError,
    RuntimeError,
    KeyError,
    ImportError,
    EOFError,
    UnpicklingError,
    SafetensorError,
)


class TextEncoder(nn.Module):
    """T: token ids (B, L) to token features (B, L, D), without a pooler.

    Frozen by default: always in eval mode, no gradients, and in float32 even under autocast, so that its
    features are those of the cache. With ``trained_layers`` = n the last n transformer layers learn and the
    rest stays frozen, with its dropout off; cached features are then of no use.

    Args:
        name: a folder or a Hugging Face name; default StanfordAIMI/RadBERT, uncased BERT-base, D = 768.
        revision: commit of a hub name, see ``find_text_encoder``; pinned for the default.
        trained_layers: n, how many of the last layers learn.

    Attributes:
        width: D. max_tokens: the longest L. identity: hub name and commit, or a checksum of the local files.

    Raises:
        T3DError: the files are not found or incomplete, the encoder needs remote code or has no padding
        token, or
            has fewer layers than ``trained_layers``.
    """

    def __init__(
        self, name: str = DEFAULT_TEXT_ENCODER, *, revision: str | None = None, trained_layers: int = 0
    ) -> None:
        super().__init__()
        folder = find_text_encoder(name, revision=revision, parts=("config", "weights"))
        self.identity = folder_identity(name, folder)
        config = _load("AutoConfig", name, folder)
        if getattr(config, "pad_token_id", None) is None or getattr(config, "is_encoder_decoder", False):
            raise T3DError(f"text encoder {name} is no encoder with a padding token; choose one, such as a BERT")
        self.pad_id = int(config.pad_token_id)
        self.width = int(config.hidden_size)
        self.max_tokens = _max_tokens(config)
        self.model = _load_model(name, folder, config)
        layers = _layers(self.model, config)
        if not 0 <= trained_layers <= len(layers):
            raise T3DError(f"trained_layers {trained_layers} is not possible: {name} has {len(layers)} layers")
        self.trained = trained_layers
        self.requires_grad_(False)
        for layer in self._trained_layers():
            layer.requires_grad_(True)
        self.train(self.training)

    def _trained_layers(self) -> list[nn.Module]:
        layers = _layers(self.model, self.model.config)
        return list(layers)[len(layers) - self.trained :]

    def train(self, mode: bool = True) -> "TextEncoder":
        """Set the mode; only the layers that learn ever leave eval mode."""
        super().train(False)
        self.training = mode
        for layer in self._trained_layers():
            layer.train(mode)
        return self

    def forward(self, ids: Tensor) -> Tensor:
        """Encode token ids.

        Args:
            ids: (B, L) int64, padded with the encoder's padding id; padding is not attended to.

        Returns:
            (B, L, D); what stands at padding tokens has no meaning.

        Raises:
            T3DError: L is above ``max_tokens``.
        """
        if ids.shape[1] > self.max_tokens:
            raise T3DError(f"a report has {ids.shape[1]} tokens; {self.identity} reads {self.max_tokens}: cut it")
        mask = (ids != self.pad_id).long()
        with contextlib.ExitStack() as stack:
            if self.trained == 0:
                stack.enter_context(torch.no_grad())
                stack.enter_context(torch.autocast(ids.device.type, enabled=False))
            return self.model(input_ids=ids, attention_mask=mask).last_hidden_state


def load_tokenizer(name: str = DEFAULT_TEXT_ENCODER, *, revision: str | None = None) -> Any:
    """Load the tokenizer of a text encoder, a fast one where there is one.

    Raises:
        T3DError: its files are not found or incomplete, or it needs remote code.
    """
    folder = find_text_encoder(name, revision=revision, parts=("config", "tokenizer"))
    tokenizer = _load("AutoTokenizer", name, folder)
    # RadBERT's tokenizer does not know how much its encoder reads; the encoder's config does.
    tokenizer.model_max_length = min(tokenizer.model_max_length, _max_tokens(_load("AutoConfig", name, folder)))
    return tokenizer


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """No progress bars and no notes on unused weights inside; the settings are put back afterwards."""
    transformers_logging = import_for_text("transformers.utils.logging")
    level, bar = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bar:
            transformers_logging.enable_progress_bar()


def _load(auto: str, name: str, folder: Path, **options: Any) -> Any:
    """``from_pretrained`` of a class of transformers, never with remote code, its errors in the user's words."""
    factory = getattr(import_for_text("transformers"), auto)
    try:
        with quiet_transformers():
            return factory.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True, **options)
    except _LOADING_FAULTS as error:
        if "trust_remote_code" in str(error):
            raise T3DError(
                f"text encoder {name} needs code from its repository, which t3d never runs; choose one that "
                "transformers has built in, such as a BERT"
            ) from error
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise T3DError(f"text encoder {name} could not be loaded: {reason.rstrip('.')}. Check its files.") from error


def _load_model(name: str, folder: Path, config: Any) -> nn.Module:
    model, found = _load("AutoModel", name, folder, config=config, output_loading_info=True)
    lacking = sorted(key for key in found["missing_keys"] if not key.startswith("pooler."))
    if lacking:
        raise T3DError(
            f"the weights of text encoder {name} lack {len(lacking)} tensors, such as {lacking[0]}; copy "
            "them again, or choose a folder whose config.json belongs to them"
        )
    if hasattr(model, "pooler"):
        model.pooler = None
    return model.float()


def _layers(model: nn.Module, config: Any) -> nn.ModuleList:
    """The transformer layers: the outermost module list with as many entries as the config has layers."""
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == config.num_hidden_layers:
            return module
    raise T3DError(f"the transformer layers of {type(model).__name__} were not found; choose a BERT-like encoder")


def _max_tokens(config: Any) -> int:
    """How many tokens the encoder reads; RoBERTa's positions start behind the padding id, so fewer."""
    positions = getattr(config, "max_position_embeddings", None) or 1 << 20
    roberta = ("roberta", "xlm-roberta", "camembert", "longformer", "mpnet")
    return positions - config.pad_token_id - 1 if config.model_type in roberta else positions
