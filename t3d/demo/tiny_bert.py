"""A tiny BERT with a vocabulary of its own, for demos and tests without a pre-trained text encoder."""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from t3d.demo.masked_words import train_on_masked_words
from t3d.errors import T3DError
from t3d.files import read_json, write_json
from t3d.networks.text_packages import import_for_text

logger = logging.getLogger(__name__)

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_RECORD = "tiny_bert.json"
_LEAST_TEXTS = 3
_TRAINED_TOKENS = 128  # of each report in pre-training, for speed


def tiny_bert(
    out_dir: str | Path,
    texts: Iterable[str],
    *,
    width: int = 64,
    layers: int = 2,
    heads: int = 4,
    vocab_size: int = 1000,
    max_tokens: int = 512,
    seed: int = 0,
    pretrain_steps: int = 0,
) -> str:
    """Make a folder with a small BERT and its lower-case WordPiece tokenizer (ours), or reuse it.

    The weights are random, which is enough to tell reports apart, unless ``pretrain_steps`` is given. The
    same arguments give the same bytes (with ``pretrain_steps``: on the same machine). The folder appears at
    once.

    Privacy: of the texts only single words without digits enter the folder, and only those that stand in at
    least three different texts, so no name, date or number of one patient; the record beside them holds a
    checksum, no text.

    Args:
        out_dir: the folder; made if it is not there.
        texts: reports.
        width: D of a token. layers, heads: of the transformer. vocab_size: at most so many tokens.
        max_tokens: longest sequence.
        seed: of the random weights and of the pre-training.
        pretrain_steps: steps of masked-word prediction on the texts, 0 for none; some hundred take seconds.

    Returns:
        the folder, as ``--text_encoder`` takes it.

    Raises:
        T3DError: no texts, ``width`` not divisible by ``heads``, a vocabulary too small for the characters,
            or the folder exists and was made from something else.
    """
    texts = sorted(text for text in texts if text.strip())
    out_dir = Path(out_dir)
    if not texts:
        raise T3DError(f"no report text to build {out_dir} from; give reports or --use_text False")
    if width % heads:
        raise T3DError(f"width {width} is not divisible by {heads} heads; choose another width")
    settings = {
        "width": width,
        "layers": layers,
        "heads": heads,
        "vocab_size": vocab_size,
        "max_tokens": max_tokens,
        "seed": seed,
        "pretrain_steps": pretrain_steps,
    }
    record = {**settings, "texts": len(texts), "sha256": _checksum(texts, settings)}
    if _reusable(out_dir, record):
        return str(out_dir)
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}.", dir=out_dir.parent))
    try:
        _write(temporary, texts, settings)
        write_json(temporary / _RECORD, record)
        temporary.chmod(0o755)  # mkdtemp's own mode would hide the folder from the other users of a shared disk
        os.rename(temporary, out_dir)
        logger.info("made a tiny text encoder of %d texts in %s", len(texts), out_dir)
    except OSError as error:  # another process may have made the same folder meanwhile; all else is a fault
        if not _reusable(out_dir, record):
            raise T3DError(f"could not write text encoder folder {out_dir}: {error.strerror}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return str(out_dir)


def vocabulary(texts: Sequence[str], vocab_size: int) -> list[str]:
    """Special tokens, single characters and "##" continuations, then words, the most frequent first.

    Words have no digits and stand in at least three different texts. Equal counts are in alphabetical order.

    Raises:
        T3DError: the characters alone exceed ``vocab_size``.
    """
    normalizer = import_for_text("tokenizers.normalizers").BertNormalizer(lowercase=True)
    splitter = import_for_text("tokenizers.pre_tokenizers").BertPreTokenizer()
    counts: Counter[str] = Counter()
    spread: Counter[str] = Counter()
    for text in dict.fromkeys(texts):
        words = [word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))]
        counts.update(words)
        spread.update(set(words))
    characters = sorted({character for word in counts for character in word} | set("0123456789"))
    tokens = SPECIAL_TOKENS + characters + [f"##{character}" for character in characters if character.isalnum()]
    if len(tokens) > vocab_size:
        raise T3DError(f"vocab_size {vocab_size} is too small: characters alone need {len(tokens)}")
    words = [w for w, n in spread.items() if n >= _LEAST_TEXTS and len(w) > 1 and w.isalpha()]
    words.sort(key=lambda word: (-counts[word], word))
    return tokens + words[: vocab_size - len(tokens)]


def _write(folder: Path, texts: Sequence[str], settings: dict[str, Any]) -> None:
    tokens = vocabulary(texts, settings["vocab_size"])
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    tokenizer = {"tokenizer_class": "BertTokenizer", "do_lower_case": True}
    tokenizer |= {"model_max_length": settings["max_tokens"]}
    write_json(folder / "tokenizer_config.json", tokenizer)
    transformers = import_for_text("transformers")
    config = transformers.BertConfig(
        vocab_size=len(tokens),
        hidden_size=settings["width"],
        num_hidden_layers=settings["layers"],
        num_attention_heads=settings["heads"],
        intermediate_size=4 * settings["width"],
        max_position_embeddings=settings["max_tokens"],
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings["seed"])
        model = transformers.BertModel(config, add_pooling_layer=False)
        if settings["pretrain_steps"]:
            config.to_json_file(folder / "config.json")  # the tokenizer's class is looked up by the config
            tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
            length = min(_TRAINED_TOKENS, settings["max_tokens"])
            ids = [tokenizer(text, truncation=True, max_length=length)["input_ids"] for text in texts]
            train_on_masked_words(model, ids, steps=settings["pretrain_steps"], first_word_id=len(SPECIAL_TOKENS))
    # save_pretrained writes on the first process only, but here every process makes a folder of its own.
    config.to_json_file(folder / "config.json")
    save_file(model.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})


def _checksum(texts: Sequence[str], settings: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps([texts, settings], sort_keys=True).encode()).hexdigest()


def _reusable(folder: Path, record: dict[str, Any]) -> bool:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    try:
        found = read_json(folder / _RECORD, what="record of a tiny BERT", remedy="choose another folder")
    except T3DError:
        found = None
    if found != record or not (folder / "model.safetensors").is_file():
        raise T3DError(
            f"folder {folder} was made from other reports or settings, or is no tiny BERT; delete "
            "it or choose another folder"
        )
    return True
