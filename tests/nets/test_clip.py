"""CLIP's text tower in transformers' layout against the original, at tiny size."""

from __future__ import annotations

import pytest
import torch

from modules.nets.clip import CLIPTextConfig, CLIPTextModel

PREFIX = "cond_stage_model.transformer."
TINY = CLIPTextConfig(width=16, layers=2, heads=2, vocab=50, positions=9, mlp_ratio=2)


def config_of(original, projected: bool) -> CLIPTextConfig:
    """Our configuration for the original constructor's arguments."""
    return CLIPTextConfig(
        width=original["hidden_size"],
        layers=original["num_hidden_layers"],
        heads=original["num_attention_heads"],
        vocab=original["vocab_size"],
        positions=original["max_position_embeddings"],
        mlp_ratio=original["intermediate_size"] / original["hidden_size"],
        act=original["hidden_act"],
        projection_dim=original["projection_dim"] if projected else None,
    )


@pytest.mark.parametrize("name", ["clip_l_quickgelu", "clip_g_gelu_projection"])
def test_every_state_is_the_originals(name, recorded, assert_close):
    original = recorded("text", name, PREFIX)
    projected = "text_projection.weight" in original.weights
    tower = CLIPTextModel(config_of(original.config, projected))
    tower.load_state_dict(original.weights)
    for tensors in original.cases.values():
        ids = tensors["in.input_ids"]
        states = tower(ids)
        assert_close(states.last, tensors["out.last_hidden_state"])
        for i, hidden in enumerate(states.hidden):
            assert_close(hidden, tensors[f"out.hidden.{i}"])
            assert_close(tower.final_norm(hidden), tensors[f"out.hidden_final_norm.{i}"])
        pooled = tensors["out.text_embeds" if projected else "out.pooler_output"]
        assert_close(tower.pooled(ids, states.hidden[-1]), pooled)


def test_embeddings_may_be_edited_before_positions_are_added():
    tower = CLIPTextModel(TINY)
    ids = torch.tensor([[1, 2, 3]])
    edited = tower(ids, embed=lambda tokens: torch.zeros_like(tokens)).hidden[0]
    torch.testing.assert_close(edited[0], tower.text_model.embeddings.position_embedding.weight[:3])


def test_tokens_see_only_what_comes_before():
    tower = CLIPTextModel(TINY)
    first, second = tower(torch.tensor([[1, 2, 3, 4]])).last, tower(torch.tensor([[1, 2, 9, 9]])).last
    torch.testing.assert_close(first[:, :2], second[:, :2])
    assert not torch.allclose(first[:, 2:], second[:, 2:])


@pytest.mark.parametrize("assign", [False, True])
def test_position_ids_of_a_file_are_counted_down_to_integers(assign):
    weights = CLIPTextModel(TINY).state_dict()
    key = "text_model.embeddings.position_ids"
    weights[key] = torch.arange(9)[None] - 0.001
    with torch.device("meta"):
        tower = CLIPTextModel(TINY)
    tower = tower if assign else tower.to_empty(device="cpu")
    tower.load_state_dict(weights, assign=assign)
    assert tower.text_model.embeddings.position_ids.tolist() == [[0, 0, 1, 2, 3, 4, 5, 6, 7]]
    del weights[key]
    tower.load_state_dict(weights, assign=assign)
    assert tower.text_model.embeddings.position_ids.tolist() == [list(range(9))]


@pytest.mark.usefixtures("gradients")
def test_every_parameter_learns():
    tower = CLIPTextModel(TINY).train()
    tower(torch.tensor([[4, 1, 49, 49]])).last.square().sum().backward()
    still = {name for name, p in tower.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    assert {name for name in still if not name.endswith("k_proj.bias")} == set()  # softmax cancels a bias of the keys
