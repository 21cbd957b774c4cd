"""Where a text encoder's files are: a local folder, the Hugging Face cache, or the hub."""

import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from t3d.errors import T3DError
from t3d.files import sha256
from t3d.networks.text_packages import import_for_text

logger = logging.getLogger(__name__)

DEFAULT_TEXT_ENCODER = "StanfordAIMI/RadBERT"
# The head of its main branch since 19 November 2022, so the pinned files and main are the same today.
DEFAULT_REVISION = "c8f97547ff6dd96debf4e50022d9679219e6987b"

# Each part of an encoder and the files of which one set must be there; the preferred set comes first.
_PARTS = {
    "config": [["config.json"]],
    "weights": [
        ["model.safetensors"],
        ["model.safetensors.index.json"],
        ["pytorch_model.bin"],
        ["pytorch_model.bin.index.json"],
    ],
    "tokenizer": [
        ["tokenizer.json"],
        ["vocab.txt"],
        ["vocab.json", "merges.txt"],
        ["sentencepiece.bpe.model"],
        ["spiece.model"],
        ["tokenizer.model"],
    ],
}
_TOKENIZER_EXTRAS = ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"]
_HUB_SECONDS = 10.0


def find_text_encoder(
    name: str, *, revision: str | None = None, parts: Sequence[str] = ("config", "weights", "tokenizer")
) -> Path:
    """Find the folder with a text encoder's files, downloading them only if they are nowhere on this machine.

    Args:
        name: a local folder, or a hub name "owner/model".
        revision: commit, tag or branch of a hub name; None is the pinned commit for the default encoder, else
            "main". A local folder has none.
        parts: which of ``config``, ``weights`` and ``tokenizer`` must be there.

    Returns:
        the folder. For a hub name it is the cache's snapshot, named by its commit.

    Raises:
        T3DError: files are missing, or the hub does not have them or is not reached; says what to put where.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        lacking = _lacking(os.listdir(folder), parts)
        if lacking:
            raise T3DError(
                f"text encoder folder {name} lacks {' and '.join(lacking)}; copy the missing files there, or "
                "save them with save_pretrained"
            )
        return folder
    if str(name).count("/") != 1 or str(name).startswith((".", "/", "~")):
        raise T3DError(
            f"text encoder folder {name} does not exist; give a folder that holds config.json, weights and "
            f"tokenizer, or a Hugging Face name such as {DEFAULT_TEXT_ENCODER}"
        )
    return _from_hub(name, revision or default_revision(name), parts)


def default_revision(name: str) -> str:
    """The pinned commit of the default text encoder; "main" for others, which the user had better pin."""
    return DEFAULT_REVISION if name == DEFAULT_TEXT_ENCODER else "main"


def folder_identity(name: str, folder: Path) -> str:
    """What tells encoders apart: the hub's name and commit, or a sha256 over a local folder's files."""
    if not Path(name).expanduser().is_dir():
        return f"{name}@{folder.name}"
    digest = hashlib.sha256()
    for file in sorted(_present(os.listdir(folder), ("config", "weights", "tokenizer"))):
        digest.update(f"{file}\0{sha256(folder / file)}\0".encode())
    return f"sha256:{digest.hexdigest()}"


def check_identity(found: str, trained_with: str | None) -> None:
    """Refuse another text encoder than the one whose features a network learnt to read.

    Its features would fit the network as well, and every number made from them would be wrong.

    Args:
        found: ``folder_identity`` of the encoder that is to be used.
        trained_with: that of the training, as recorded; None (records of earlier versions) is not compared.

    Raises:
        T3DError: another one. A folder and a name of the hub cannot be compared, which is logged.
    """
    if trained_with is None or found == trained_with:
        return
    one, other = (f"{identity[:19]}.." if _of_folder(identity) else identity for identity in (found, trained_with))
    if _of_folder(found) != _of_folder(trained_with):
        logger.warning("text encoder %s is not compared with %s, which the network was trained with", one, other)
        return
    raise T3DError(
        f"the network was trained with the text encoder {other}, and this one is {one}: give that one's folder or "
        "name with --text_encoder, and of a name the commit with --text_revision"
    )


def _of_folder(identity: str) -> bool:
    return identity.startswith("sha256:")


def _from_hub(name: str, revision: str, parts: Sequence[str]) -> Path:
    hub = import_for_text("huggingface_hub")
    # The hub client stands on httpx or on requests, by its version; their errors are the bases of its own.
    faults = (OSError, ValueError, *import_for_text("huggingface_hub.errors").HfHubHTTPError.__bases__)
    try:  # the cache first: a machine without network must not wait for time-outs
        folder = Path(hub.snapshot_download(name, revision=revision, local_files_only=True))
        if not _lacking(os.listdir(folder), parts):
            return folder
    except faults:
        folder = None
    try:
        # One quick question before the download, which would retry for half a minute without network.
        info = hub.HfApi().model_info(name, revision=revision, timeout=_HUB_SECONDS)
        files = [file.rfilename for file in info.siblings]
        lacking = _lacking(files, parts)
        if lacking:
            raise T3DError(f"text encoder {name} at {revision} has no {' and no '.join(lacking)}; choose another")
        wanted = _present(files, ("config", "weights", "tokenizer"))
        return Path(hub.snapshot_download(name, revision=info.sha, allow_patterns=wanted))
    except T3DError:
        raise
    except faults as error:
        raise T3DError(
            f"text encoder {name} is not on this machine and the hub fails ({type(error).__name__}). "
            f"Where there is internet run `hf download {name} --revision {revision} --local-dir DIR` (older "
            "versions: `huggingface-cli download ..`), copy DIR (config.json, model.safetensors or "
            "pytorch_model.bin, tokenizer.json or vocab.txt) here and give --text_encoder DIR."
        ) from error


def _lacking(files: Sequence[str], parts: Sequence[str]) -> list[str]:
    """For each part without a complete set of files, its name and the files that would do."""
    return [f"{part} ({' or '.join(' + '.join(s) for s in _PARTS[part])})" for part in parts if not _set(files, part)]


def _set(files: Sequence[str], part: str) -> list[str]:
    return next((s for s in _PARTS[part] if set(s) <= set(files)), [])


def _present(files: Sequence[str], parts: Sequence[str]) -> list[str]:
    """The files of the preferred set of each part, with the shards of an index and the tokenizer's extras."""
    found = [file for part in parts for file in _set(files, part)]
    for index in [file for file in found if file.endswith(".index.json")]:
        ending = ".safetensors" if index.startswith("model") else ".bin"
        found += [file for file in files if file.endswith(ending) and "-of-" in file]
    return found + [file for file in _TOKENIZER_EXTRAS if file in files]
