import torch
from transformers import BertConfig, BertModel

from t3d.demo.masked_words import _mask, train_on_masked_words


def test_masking_follows_the_recipe():
    torch.manual_seed(0)
    batch = torch.randint(5, 100, (200, 100))
    batch[:, 0], batch[:, 50:] = 2, 0
    seen, labels = _mask(batch, 5, 100)
    asked = labels != -100
    assert torch.equal(labels[asked], batch[asked])
    assert not asked[:, 0].any() and not asked[:, 50:].any()
    assert torch.equal(seen[~asked], batch[~asked])
    words = 200 * 49
    assert abs(asked.sum() / words - 0.15) < 0.015
    masked, kept = (seen == 4) & asked, (seen == batch) & asked
    assert abs(masked.sum() / asked.sum() - 0.8) < 0.04
    assert abs(kept.sum() / asked.sum() - 0.1) < 0.03
    replaced = asked & ~masked & ~kept
    assert seen[replaced].min() >= 5 and seen[replaced].max() < 100


def test_something_is_always_asked():
    torch.manual_seed(0)
    for _ in range(50):
        _, labels = _mask(torch.tensor([[2, 7, 3]]), 5, 10)
        assert labels.tolist()[0][0] == labels.tolist()[0][2] == -100
        assert labels[0, 1] == 7


def test_a_regular_language_is_learnt():
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=12,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=16,
    )
    model = BertModel(config, add_pooling_layer=False)
    before = model.embeddings.word_embeddings.weight.clone()
    sentences = [[2, *[5 + place % 6 for place in range(12)], 3]] * 8  # the place fixes the word
    loss = train_on_masked_words(model, sentences, steps=150, first_word_id=5, learning_rate=3e-3)
    assert loss < 0.3, "guessing gives log(6) = 1.8"
    assert not torch.equal(model.embeddings.word_embeddings.weight, before), "the given model itself is trained"
