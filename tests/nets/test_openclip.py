"""CLIP's text tower in open_clip's layout against the original, at tiny size."""

from __future__ import annotations

import pytest
import torch

from modules.nets.openclip import OpenCLIPTextConfig, OpenCLIPTextModel

PREFIXES = ("cond_stage_model.model.", "conditioner.embedders.1.model.")
TINY = OpenCLIPTextConfig(width=16, layers=2, heads=2, vocab=50, positions=9, embed_dim=8)


@pytest.mark.parametrize("name", ["openclip_gelu", "openclip_quickgelu"])
def test_every_state_is_the_originals(name, recorded, assert_close):
    original = recorded("text", name, *PREFIXES)
    shape = original.config["text_cfg"]
    tower = OpenCLIPTextModel(
        OpenCLIPTextConfig(
            width=shape["width"],
            layers=shape["layers"],
            heads=shape["heads"],
            vocab=shape["vocab_size"],
            positions=shape["context_length"],
            embed_dim=original.config["embed_dim"],
            act="quick_gelu" if original.config["quick_gelu"] else "gelu",
        )
    )
    tower.load_state_dict(original.weights)
    tensors = original.cases["case0"]
    ids = tensors["in.tokens"]
    states = tower(ids)
    for i, hidden in enumerate(states.hidden):
        assert_close(hidden, tensors[f"out.hidden.{i}"])
    assert_close(states.hidden[-2], tensors["out.penultimate"])
    assert_close(tower.final_norm(states.hidden[-2]), tensors["out.penultimate_ln_final"])
    assert_close(states.last, tensors["out.last_ln_final"])
    assert_close(tower.pooled(ids, states.hidden[-1]), tensors["out.pooled"])


def test_pooling_takes_the_first_end_token():
    tower = OpenCLIPTextModel(TINY)
    ids = torch.tensor([[1, 49, 49, 0], [1, 2, 49, 0]])
    hidden = tower(ids).hidden[-1]
    expected = tower.final_norm(torch.stack([hidden[0, 1], hidden[1, 2]])) @ tower.text_projection
    torch.testing.assert_close(tower.pooled(ids, hidden), expected)


def test_embeddings_may_be_edited_before_positions_are_added():
    tower = OpenCLIPTextModel(TINY)
    edited = tower(torch.tensor([[1, 2, 3]]), embed=lambda tokens: torch.zeros_like(tokens)).hidden[0]
    torch.testing.assert_close(edited[0], tower.positional_embedding[:3])
