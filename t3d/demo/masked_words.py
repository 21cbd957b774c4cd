"""Masked-word pre-training of a small BERT on a cohort's reports."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from t3d.networks.text_packages import import_for_text

if TYPE_CHECKING:
    from transformers import BertModel

logger = logging.getLogger(__name__)

_MASK_ID = 4
_BATCH = 16


def train_on_masked_words(
    model: "BertModel",
    ids: Sequence[Sequence[int]],
    *,
    steps: int,
    first_word_id: int,
    learning_rate: float = 1e-3,
) -> float:
    """Train ``model`` in place to predict masked tokens, by BERT's recipe: 15 % of them, 80 / 10 / 10 masked,
    random and kept (arXiv 1810.04805, section 3.1); batches of 16 and the learning rate are ours.

    Args:
        model: encoder with padding id 0 and mask id 4, on the CPU.
        ids: token ids of each report, special tokens included.
        steps: optimiser steps.
        first_word_id: ids below it are special: never masked, never put in.
        learning_rate: of AdamW.

    Returns:
        the mean loss of the last tenth of the steps.
    """
    whole = import_for_text("transformers").BertForMaskedLM(model.config).train()
    whole.bert = model
    whole.tie_weights()
    optimizer = torch.optim.AdamW(whole.parameters(), lr=learning_rate)
    losses = []
    for _ in range(steps):
        chosen = torch.randint(len(ids), (min(_BATCH, len(ids)),)).tolist()
        batch = pad_sequence([torch.tensor(ids[i]) for i in chosen], batch_first=True)
        seen, labels = _mask(batch, first_word_id, model.config.vocab_size)
        loss = whole(input_ids=seen, attention_mask=(batch != 0).long(), labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    tail = losses[-max(1, steps // 10) :]
    logger.info("masked words: loss %.2f at the start, %.2f at the end", losses[0], sum(tail) / len(tail))
    return sum(tail) / len(tail)


def _mask(batch: Tensor, first_word_id: int, vocab_size: int) -> tuple[Tensor, Tensor]:
    """(B, L) ids -> ids as the model sees them, and labels with -100 where nothing is asked."""
    asked = (torch.rand(batch.shape) < 0.15) & (batch >= first_word_id)
    if not asked.any():  # a tiny batch may ask nothing, and its loss would be NaN
        asked = batch >= first_word_id
    labels = batch.masked_fill(~asked, -100)
    fate = torch.rand(batch.shape)
    seen = batch.masked_fill(asked & (fate < 0.8), _MASK_ID)
    random_words = torch.randint(first_word_id, vocab_size, batch.shape)
    return torch.where(asked & (fate >= 0.9), random_words, seen), labels
