"""MultiKernelConvLSTMCell against plain loops, and against the one large kernel that it equals exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mudra.cells import ConvLSTMCell, MultiKernelConvLSTMCell, MultiKernelConvLSTMConfig, unroll
from mudra.cells.interleave import ParallelConvs
from mudra.errors import ConfigError
from tests.cells.by_hand import Array, State, convolve
from tests.cells.kernels_by_hand import biased, elementwise, interleaved, masked, mixed, step_from
from tests.cells.reading import as_batch, fill, numbers, random_maps

SIZE = (4, 6)


def random_cell(**values: Any) -> MultiKernelConvLSTMCell:
    """Three channels in; two hidden channels by 3x3 and three by 5x5 kernels, another random number in every place."""
    given = {"in_channels": 3, "hidden_channels": (2, 3), "kernel_sizes": (3, 5)} | values
    cell = MultiKernelConvLSTMCell(**given).double()
    fill(cell, std=0.4, seed=22)
    return cell


def last_conv(module: nn.Module) -> nn.Conv2d:
    convs = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    return convs[-1]


def sums_by_hand(side: ParallelConvs, seen: list[Array], *, mix: str, tanh_before: bool) -> Array:
    """What one side, the input's or the hidden one's, brings to the gates."""
    convs = [last_conv(branch) for branch in side.branches]
    kernels = [convolve(x, numbers(conv.weight)) for x, conv in zip(seen, convs, strict=True)]
    if convs[0].bias is not None:
        kernels = [biased(sums, numbers(conv.bias)) for sums, conv in zip(kernels, convs, strict=True)]
    joined = interleaved(kernels)
    if mix == "none":
        return joined
    if tanh_before:
        joined = elementwise(np.tanh, joined)
    conv = last_conv(side.mix)
    joined = mixed(joined, numbers(conv.weight)[:, :, 0, 0], groups=4 if mix == "per_gate" else 1)
    return joined if conv.bias is None else biased(joined, numbers(conv.bias))


def run_by_hand(cell: MultiKernelConvLSTMCell, x_TCHW: Array, state: State, **how: Any) -> list[State]:
    states = []
    for x_CHW in x_TCHW:
        attention, seen = cell.flow_attention, []
        for place in range(2):
            own = x_CHW[: attention.x_channels]
            if str(place) in attention.to_mask:
                conv = last_conv(attention.to_mask[str(place)])
                own = masked(own, x_CHW[attention.x_channels :], numbers(conv.weight), numbers(conv.bias))
            seen.append(own)
        sums = sums_by_hand(cell.input_to_gates, seen, **how)
        sums = sums + sums_by_hand(cell.hidden_to_gates, [state.hidden_DHW] * 2, **how)
        state = step_from(sums, state)
        states.append(state)
    return states


def check_by_hand(cell: MultiKernelConvLSTMCell, *, mix: str = "none", tanh_before: bool = False) -> None:
    x_TCHW = random_maps(2, cell.in_channels, *SIZE, seed=1)
    start = State(*random_maps(2, cell.hidden_channels, *SIZE, seed=2))
    expected = run_by_hand(cell, x_TCHW, start, mix=mix, tanh_before=tanh_before)
    for with_grad in (True, False):  # two orders of the maps in memory
        with torch.set_grad_enabled(with_grad):
            hidden_BTDHW, state = unroll(cell, torch.from_numpy(x_TCHW)[None], as_batch(start))
        np.testing.assert_allclose(hidden_BTDHW[0].detach(), [step.hidden_DHW for step in expected], atol=1e-12)
        np.testing.assert_allclose(state.memory_BDHW[0].detach(), expected[-1].memory_DHW, atol=1e-12)


@pytest.mark.parametrize(
    ("mix", "before_mix"),
    [("none", "none"), ("per_gate", "none"), ("per_gate", "tanh"), ("full", "none"), ("full", "tanh")],
)
def test_equations_6_to_10_with_several_kernels(mix: str, before_mix: str) -> None:
    check_by_hand(random_cell(mix=mix, before_mix=before_mix), mix=mix, tanh_before=before_mix == "tanh")


@pytest.mark.parametrize("masked_kernels", [None, (5,), (3,)])
def test_flow_masks_what_kernels_see_of_the_input(masked_kernels: tuple[int, ...] | None) -> None:
    cell = random_cell(in_channels=5, flow_channels=2, masked_kernels=masked_kernels)
    assert len(cell.flow_attention.to_mask) == (2 if masked_kernels is None else 1)
    check_by_hand(cell)


def padded_interleaved(side: ParallelConvs) -> tuple[Tensor, Tensor | None]:
    """The weights of the one 5x5 convolution: zeros around the small kernels, gate by gate."""
    weights, biases = [], []
    for branch in side.branches:
        conv = last_conv(branch)
        ring = (5 - conv.kernel_size[0]) // 2
        weights.append(nn.functional.pad(conv.weight, (ring,) * 4).chunk(4))
        biases.append(None if conv.bias is None else conv.bias.chunk(4))
    weight = torch.cat([part[gate] for gate in range(4) for part in weights])
    if biases[0] is None:
        return weight, None
    return weight, torch.cat([part[gate] for gate in range(4) for part in biases if part is not None])


def one_large_kernel(cell: MultiKernelConvLSTMCell) -> ConvLSTMCell:
    plain = ConvLSTMCell(in_channels=3, hidden_channels=5, kernel_size=5).double()
    (from_input, bias), (from_hidden, _) = map(padded_interleaved, (cell.input_to_gates, cell.hidden_to_gates))
    assert plain.input_to_gates.bias is not None
    assert bias is not None
    with torch.no_grad():
        plain.input_to_gates.weight.copy_(from_input)
        plain.input_to_gates.bias.copy_(bias)
        plain.hidden_to_gates.weight.copy_(from_hidden)
    return plain


def difference(first: nn.Module, second: nn.Module) -> float:
    x_BTCHW = torch.from_numpy(random_maps(2, 4, 3, 7, 9, seed=5))
    assert isinstance(first, MultiKernelConvLSTMCell | ConvLSTMCell)
    assert isinstance(second, MultiKernelConvLSTMCell | ConvLSTMCell)
    return (unroll(first, x_BTCHW).hidden_BTDHW - unroll(second, x_BTCHW).hidden_BTDHW).abs().max().item()


def test_interleaved_it_is_exactly_one_cell_of_the_largest_kernel() -> None:
    cell = random_cell()
    assert difference(cell, one_large_kernel(cell)) < 1e-12


def test_naively_joined_it_is_not() -> None:
    cell, naive = random_cell(), random_cell(concatenation="naive")
    naive.load_state_dict(cell.state_dict())
    assert difference(naive, one_large_kernel(cell)) > 0.1


def test_two_kernels_of_one_size_are_a_plain_cell() -> None:
    cell = random_cell(kernel_sizes=(5, 5))
    assert difference(cell, one_large_kernel(cell)) < 1e-12


def test_one_kernel_is_a_plain_cell_however_it_is_joined() -> None:
    cell, naive = (
        random_cell(kernel_sizes=(5,), hidden_channels=5, concatenation=how) for how in ("interleave", "naive")
    )
    assert difference(cell, one_large_kernel(cell)) < 1e-12
    assert difference(cell, naive) < 1e-12


def test_one_number_of_hidden_channels_is_shared_out() -> None:
    cell = MultiKernelConvLSTMCell(in_channels=3, hidden_channels=7, kernel_sizes=(3, 5))
    assert cell.hidden_channels == 7
    assert [last_conv(branch).out_channels for branch in cell.hidden_to_gates.branches] == [16, 12]
    assert MultiKernelConvLSTMConfig(in_channels=6).build().hidden_channels == 6


@pytest.mark.parametrize(("mix", "places"), [("none", 2), ("per_gate", 1), ("full", 1)])
def test_biases_stand_where_the_gates_are_made(mix: Any, places: int) -> None:
    cell = random_cell(mix=mix)
    for side, wanted in ((cell.input_to_gates, places), (cell.hidden_to_gates, 0)):
        biases = [conv.bias for conv in side.modules() if isinstance(conv, nn.Conv2d) and conv.bias is not None]
        assert len(biases) == wanted
        assert sum(map(len, biases)) == (20 if wanted else 0)


@pytest.mark.parametrize(("mix", "convs"), [("none", 4), ("per_gate", 6)])
def test_batch_normalisation_follows_every_convolution(mix: Any, convs: int) -> None:
    cell = random_cell(mix=mix, normalisation="batch")
    norms = [module for module in cell.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == convs
    generator = torch.Generator().manual_seed(8)
    for norm in norms:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.normal_(generator=generator)
        norm.running_var.uniform_(0.5, 2.0, generator=generator)
    # At rest a normalised convolution is a convolution with other weights and a bias.
    plain = random_cell(mix=mix)
    pairs = (
        (side.get_submodule(name), other.get_submodule(name))
        for side, other in ((cell.input_to_gates, plain.input_to_gates), (cell.hidden_to_gates, plain.hidden_to_gates))
        for name in ("branches.0", "branches.1", *(["mix"] if mix != "none" else []))
    )
    for normalised, conv in pairs:
        assert isinstance(normalised, nn.Sequential)
        assert isinstance(conv, nn.Conv2d)
        fused = torch.nn.utils.fuse_conv_bn_eval(normalised[0].eval(), normalised[1].eval())
        conv.weight, conv.bias = fused.weight, fused.bias
    assert difference(cell.eval(), plain) < 1e-12


def test_training_normalises_over_the_batch() -> None:
    cell = random_cell(normalisation="batch").train()
    unroll(cell, torch.from_numpy(random_maps(2, 3, 3, *SIZE, seed=1))).hidden_BTDHW.sum().backward()
    counts = [int(module.num_batches_tracked or 0) for module in cell.modules() if isinstance(module, nn.BatchNorm2d)]
    assert counts == [1, 1, 3, 3], "once for all inputs, once for every hidden map"
    assert all(parameter.grad is not None for parameter in cell.parameters())


def test_forget_bias_is_the_forget_gates_alone() -> None:
    cell = MultiKernelConvLSTMCell(in_channels=3, hidden_channels=(2, 1), forget_bias=1.5)
    sums = cell.precompute(torch.zeros(1, 1, 3, 2, 2))[0]
    assert sums[0, 0, :, 0, 0].tolist() == [0.0] * 3 + [1.5] * 3 + [0.0] * 6


def test_pytorch_initialisation_leaves_the_layers_alone() -> None:
    torch.manual_seed(3)
    cell = MultiKernelConvLSTMCell(in_channels=3, hidden_channels=(2, 1), initialisation="pytorch")
    torch.manual_seed(3)
    assert torch.equal(next(cell.parameters()), nn.Conv2d(3, 8, 3).weight)


def test_on_the_cpu_training_alone_keeps_maps_plain_in_memory() -> None:
    cell = MultiKernelConvLSTMCell(in_channels=3, hidden_channels=4)
    assert not cell.wants_channels_last(torch.device("cpu"))
    assert cell.wants_channels_last(torch.device("cuda"))
    with torch.no_grad():
        assert cell.wants_channels_last(torch.device("cpu"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kernel_sizes": ()}, "kernel_sizes is empty"),
        ({"kernel_sizes": (3, 4)}, "kernel_size is 4, wanted an odd number"),
        ({"mix": "gate"}, "mix is 'gate'"),
        ({"before_mix": "tan"}, "before_mix is 'tan'"),
        ({"concatenation": "interlace"}, "concatenation is 'interlace'"),
        ({"normalisation": "layer"}, "normalisation is 'layer'"),
        ({"initialisation": "papr"}, "initialisation is 'papr'"),
        ({"hidden_channels": (2, 3, 4)}, "hidden_channels has 3 numbers for 2 kernels"),
        ({"hidden_channels": 1}, "too few for 2 kernels"),
        ({"before_mix": "tanh"}, "before_mix is 'tanh', but there is no mix\n  hint: add mix=per_gate"),
        ({"mix": "per_gate", "concatenation": "naive"}, "mixes no kernel with another\n  hint: use concatenation"),
        ({"flow_channels": 3}, "flow_channels is 3 of 3 channels"),
        ({"masked_kernels": (5,)}, "masked_kernels is given, but flow_channels is 0"),
    ],
)
def test_bad_arguments_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        random_cell(**values)


def test_a_cell_outside_a_network_must_be_told_its_channels() -> None:
    with pytest.raises(ConfigError, match="cell 'multi_kernel_conv_lstm': in_channels is missing"):
        MultiKernelConvLSTMConfig().build()
