"""Weights that wait in main memory, on a make-believe device that counts what lies on it."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from make_believe import MakeBelieve, elements_there
from torch import nn

from modules.nets.offload import Offloader, blocks


@pytest.fixture
def place() -> MakeBelieve:
    return MakeBelieve()


@pytest.mark.parametrize("inference", [False, True])
def test_one_group_at_a_time_is_on_the_device(place, inference):
    offloader = Offloader(place)
    first, second = nn.Linear(3, 3), nn.Linear(3, 5)
    parameters = [first.weight, first.bias]
    expected = first(torch.ones(1, 3))
    groups = [offloader.add([first]), offloader.add([second])]
    with torch.inference_mode(inference):
        x = torch.ones(1, 3)
        for _ in range(2):
            torch.testing.assert_close(first(x), expected)
            assert (elements_there(place, first), elements_there(place, second)) == (12, 0)
            second(x)
            assert (elements_there(place, first), elements_there(place, second)) == (0, 20)
    assert place.up == 8 + 4  # the inputs too
    assert place.down == 0  # weights that did not change are not copied back
    assert [first.weight, first.bias][0] is parameters[0] and first.bias is parameters[1]
    offloader.release()
    assert elements_there(place, first, second) == 0
    assert groups[0].modules == [first]


@pytest.mark.parametrize("inference", [False, True])
def test_parameters_may_be_exchanged_meanwhile(place, inference):
    """As LoRAs do: others in their places, and the base ones back."""
    offloader = Offloader(place)
    layer, other = nn.Linear(3, 3, bias=False), nn.Linear(3, 3)
    groups = [offloader.add([layer]), offloader.add([other])]
    x = torch.ones(1, 3)
    with torch.inference_mode(inference):
        base, expected = layer.weight, layer(x)
        layer.weight = nn.Parameter(torch.zeros(3, 3), requires_grad=False)
        assert layer(x).abs().sum() == 0
        other(x)
        assert not place.holds(base.data) and not place.holds(layer.weight.data)
        assert layer(x).abs().sum() == 0
        layer.weight = base
        torch.testing.assert_close(layer(x), expected)
        other(x)
        assert elements_there(place, layer) == 0
    assert groups


def test_changes_made_on_the_device_are_not_lost(place):
    offloader = Offloader(place)
    layer, other = nn.Linear(2, 2, bias=False), nn.Linear(2, 2)
    groups = [offloader.add([layer]), offloader.add([other])]
    with torch.no_grad():
        layer(torch.ones(1, 2))
        layer.weight.fill_(7)
        other(torch.ones(1, 2))
    assert layer.weight.tolist() == [[7, 7], [7, 7]]
    assert place.down == 1
    assert groups


def test_a_change_of_type_while_on_the_device_lasts(place):
    offloader = Offloader(place)
    layer, other = nn.Linear(2, 2), nn.Linear(2, 2)
    groups = [offloader.add([layer]), offloader.add([other])]
    layer(torch.ones(1, 2))
    layer.weight.data = place.upload(layer.weight.data.double())
    other(torch.ones(1, 2))
    assert layer.weight.dtype == torch.float64 and not place.holds(layer.weight.data)
    assert groups


def test_a_network_goes_block_by_block(place):
    net = nn.Module()
    net.start = nn.Linear(4, 4)
    net.middle = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
    net.register_buffer("table", torch.ones(4))
    parts, own = blocks(net)
    assert parts == [net.start, *net.middle] and own[0] is net.table
    offloader = Offloader(place)
    groups = [offloader.add([part]) for part in parts]
    x = torch.ones(1, 4)
    for layer in (net.start, *net.middle):
        x = layer(x)
        assert elements_there(place, net) == 20
    assert len(groups) == 4


def test_inputs_follow_to_the_device(place):
    seen = []
    layer = nn.Linear(2, 2)
    group = Offloader(place).add([layer])
    layer.register_forward_pre_hook(lambda _, args: seen.append(place.holds(args[0])))
    layer(torch.ones(1, 2))
    assert seen == [True] and group


def test_the_offloader_keeps_no_model_alive(place):
    offloader = Offloader(place)
    layer = nn.Linear(2, 2)
    group = offloader.add([layer])
    layer(torch.ones(1, 2))
    gone = weakref.ref(layer)
    del layer, group
    gc.collect()
    assert gone() is None and offloader.resident is None


def test_a_group_that_is_removed_is_an_ordinary_network_again(place):
    offloader = Offloader(place)
    layer = nn.Linear(2, 2)
    group = offloader.add([layer])
    layer(torch.ones(1, 2))
    offloader.remove(group)
    layer(torch.ones(1, 2))
    assert elements_there(place, layer) == 0 and not layer._forward_pre_hooks
