"""AltDiffusion's text encoder against the original, at tiny size."""

from __future__ import annotations

import pytest
import torch

from modules.nets.xlmr import XLMRConfig, XLMRTextModel

TINY = XLMRConfig(width=32, layers=3, heads=4, hidden=64, vocab=1000, positions=84, project_dim=24)


@pytest.mark.parametrize("name", ["xlmr", "xlmr_m18"])
def test_every_state_is_the_originals(name, recorded, assert_close):
    original = recorded("text", name, "cond_stage_model.")
    project_dim, m18 = original.config["project_dim"], name.endswith("m18")
    tower = XLMRTextModel(XLMRConfig(**{**vars(TINY), "project_dim": project_dim, "pre_transformation": m18}))
    tower.load_state_dict(original.weights)
    case = original.cases["case0"]
    for mask in (None, case["in.attention_mask"]):
        states = tower(case["in.input_ids"], mask)
        for index, hidden in enumerate(states.hidden):
            assert_close(hidden, case[f"out.hidden.{index}"])
        assert_close(states.projection, case["out.projection_state"])


def test_padding_changes_nothing_before_it():
    tower = XLMRTextModel(TINY)
    short, long = torch.tensor([[0, 5, 6, 2]]), torch.tensor([[0, 5, 6, 2, 1, 1, 1]])
    torch.testing.assert_close(tower(short).projection, tower(long).projection[:, :4])


def test_embeddings_may_be_edited():
    tower = XLMRTextModel(TINY)
    ids = torch.tensor([[0, 5, 6, 2]])
    edited = tower(ids, embed=lambda tokens: tower.roberta.embeddings.word_embeddings(torch.tensor([[0, 7, 6, 2]])))
    torch.testing.assert_close(edited.projection, tower(torch.tensor([[0, 7, 6, 2]])).projection)
