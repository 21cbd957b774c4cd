import shutil
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
from tiny_text import make_encoder

from t3d.errors import T3DError
from t3d.networks.text_encoder_folder import DEFAULT_REVISION, default_revision, find_text_encoder, folder_identity


@pytest.fixture
def folder(tmp_path) -> Path:
    return Path(make_encoder(tmp_path / "made"))


@pytest.fixture
def no_hub(monkeypatch, tmp_path):
    """A cache without models and a hub that cannot be reached."""
    asked = []

    def snapshot_download(name, *, revision, local_files_only=False, allow_patterns=None):
        asked.append(("cache" if local_files_only else "download", name, revision))
        raise FileNotFoundError(name)

    def model_info(self, name, *, revision, timeout):
        asked.append(("hub", name, revision))
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    return asked


def test_a_whole_folder_is_used_where_it_is(folder):
    assert find_text_encoder(str(folder)) == folder


@pytest.mark.parametrize(
    "lost, words",
    [
        (["vocab.txt"], "tokenizer (tokenizer.json or vocab.txt"),
        (["model.safetensors"], "weights (model.safetensors or"),
        (["config.json"], "config (config.json)"),
    ],
)
def test_missing_files_are_named(folder, lost, words):
    for name in lost:
        (folder / name).unlink()
    with pytest.raises(T3DError) as error:
        find_text_encoder(str(folder))
    assert words in str(error.value) and str(folder) in str(error.value)


def test_empty_folder_lacks_all(tmp_path):
    with pytest.raises(T3DError, match=r"config .* and weights .* and tokenizer"):
        find_text_encoder(str(tmp_path))


def test_parts_that_are_not_needed_may_lack(folder):
    (folder / "vocab.txt").unlink()
    assert find_text_encoder(str(folder), parts=("config", "weights")) == folder


@pytest.mark.parametrize("name", ["./nowhere", "nowhere", "a/b/c", "/nowhere/bert"])
def test_folder_that_is_not_there(name, no_hub):
    with pytest.raises(T3DError, match="does not exist"):
        find_text_encoder(name)
    assert no_hub == [], "no such name is asked for on the hub"


def test_hub_not_reached_says_what_to_put_where(no_hub):
    with pytest.raises(T3DError) as error:
        find_text_encoder("StanfordAIMI/RadBERT")
    message = str(error.value)
    assert f"hf download StanfordAIMI/RadBERT --revision {DEFAULT_REVISION} --local-dir DIR" in message
    assert "--text_encoder DIR" in message and "config.json" in message and "vocab.txt" in message
    assert no_hub == [
        ("cache", "StanfordAIMI/RadBERT", DEFAULT_REVISION),
        ("hub", "StanfordAIMI/RadBERT", DEFAULT_REVISION),
    ], "one question to the hub, not a download with its retries"


def test_default_is_pinned_to_a_commit():
    assert len(DEFAULT_REVISION) == 40 and set(DEFAULT_REVISION) <= set("0123456789abcdef")
    assert default_revision("StanfordAIMI/RadBERT") == DEFAULT_REVISION
    assert default_revision("owner/other") == "main"


def test_cache_is_enough_without_network(folder, no_hub, monkeypatch):
    snapshot = folder.rename(folder.parent / ("0123abcd" * 5))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: str(snapshot))
    found = find_text_encoder("owner/model", revision="v1")
    assert found == snapshot and no_hub == []
    assert folder_identity("owner/model", found) == f"owner/model@{snapshot.name}"


def test_download_takes_only_what_is_needed(folder, no_hub, monkeypatch):
    files = ["README.md", "config.json", "flax_model.msgpack", "model.safetensors", "pytorch_model.bin"]
    files += ["vocab.txt", "tokenizer_config.json", "modeling_mine.py"]
    info = SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in files], sha="f" * 40)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *a, **k: info)
    taken = {}

    def snapshot_download(name, *, revision, local_files_only=False, allow_patterns=None):
        if local_files_only:
            raise FileNotFoundError(name)
        taken.update(revision=revision, files=allow_patterns)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert find_text_encoder("owner/model") == folder
    assert taken["revision"] == "f" * 40
    assert sorted(taken["files"]) == [
        "config.json",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.txt",
    ]


def test_hub_repository_without_tokenizer(no_hub, monkeypatch):
    info = SimpleNamespace(siblings=[SimpleNamespace(rfilename="config.json")], sha="f" * 40)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *a, **k: info)
    with pytest.raises(T3DError, match="has no weights .* and no tokenizer"):
        find_text_encoder("owner/model")


def test_identity_reads_every_shard(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    (folder / "model.safetensors.index.json").write_text("{}")
    before = folder_identity(str(folder), folder)
    copy = Path(shutil.copytree(folder, folder.parent / "copy"))
    assert folder_identity(str(copy), copy) == before
    shard = copy / "model-00001-of-00001.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    assert folder_identity(str(copy), copy) != before
