"""What every cell keeps over a stream and in training: the cuts do not show, no frame stays behind, memory is saved."""

from __future__ import annotations

import itertools
import weakref
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from mudra.cells import AnyCellConfig, Cell, MapState, unroll
from mudra.cells.cell import TrainingMemory
from mudra.config import Config, configs_in

CONFIGS = configs_in(AnyCellConfig)
NUM_FRAMES = 24

every_cell = pytest.mark.parametrize("config_type", CONFIGS, ids=lambda config: config.__name__)


def build(config_type: type[Config], channels: tuple[int, int] = (3, 5)) -> Cell:
    """The cell in double precision, with no two weights alike."""
    config: Any = config_type.from_mapping({"in_channels": channels[0], "hidden_channels": channels[1]})
    cell: Cell = config.build().double()
    generator = torch.Generator().manual_seed(7)
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)
    return cell


def random_maps(num_frames: int = NUM_FRAMES, num_clips: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(num_clips, num_frames, 3, 4, 6, generator=generator, dtype=torch.float64)


@every_cell
@given(cuts=st.sets(st.integers(1, NUM_FRAMES - 1)), num_clips=st.integers(1, 2))
@settings(max_examples=15, deadline=None, derandomize=True, database=None)
def test_pieces_of_any_length_give_the_numbers_of_one_pass(
    config_type: type[Config], cuts: set[int], num_clips: int
) -> None:
    cell, x_BTCHW = build(config_type), random_maps(num_clips=num_clips)
    with torch.no_grad():
        whole, pieces, state = unroll(cell, x_BTCHW), [], None
        for first, last in itertools.pairwise([0, *sorted(cuts), NUM_FRAMES]):
            piece = unroll(cell, x_BTCHW[:, first:last], state)
            pieces.append(piece.hidden_BTDHW)
            state = piece.state
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole.hidden_BTDHW, rtol=0, atol=1e-12)
    torch.testing.assert_close(state, whole.state, rtol=0, atol=1e-12)


@every_cell
def test_training_and_streaming_compute_the_same(config_type: type[Config]) -> None:
    # With and without gradients, maps may stand differently in memory and take other routines.
    cell, x_BTCHW = build(config_type), random_maps()
    with torch.no_grad():
        without = unroll(cell, x_BTCHW)
    torch.testing.assert_close(unroll(cell, x_BTCHW).hidden_BTDHW, without.hidden_BTDHW, rtol=0, atol=1e-12)


@every_cell
@pytest.mark.parametrize("num_frames", [1, 7])
def test_a_state_holds_itself_and_nothing_else(config_type: type[Config], num_frames: int) -> None:
    cell = build(config_type)
    with torch.no_grad():
        output = unroll(cell, random_maps(num_frames))
    for part in output.state:
        assert part.grad_fn is None
        # A view into all frames' maps would hold them as long as the stream runs.
        assert part.untyped_storage().nbytes() == part.numel() * part.element_size()
        assert part.untyped_storage().data_ptr() != output.hidden_BTDHW.untyped_storage().data_ptr()


@every_cell
def test_no_piece_stays_behind(config_type: type[Config]) -> None:
    cell, state, fed = build(config_type), None, []
    with torch.no_grad():
        for _ in range(4):
            x_BTCHW = random_maps(3)
            output = unroll(cell, x_BTCHW, state)
            state = output.state
            fed += [weakref.ref(x_BTCHW), weakref.ref(output.hidden_BTDHW)]
            stores = [StorageWeakRef(maps.untyped_storage()) for maps in (x_BTCHW, output.hidden_BTDHW)]
            del x_BTCHW, output
            assert all(store.expired() for store in stores)
    assert all(reference() is None for reference in fed)


@every_cell
@pytest.mark.parametrize("given_state", [False, True], ids=["from zero", "from a state"])
@pytest.mark.parametrize("num_frames", [1, 9, 24])
def test_recomputing_gives_the_same_gradients(config_type: type[Config], given_state: bool, num_frames: int) -> None:
    cell, x_BTCHW = build(config_type), random_maps(num_frames).requires_grad_()
    generator = torch.Generator().manual_seed(5)
    before = [torch.randn(2, 5, 4, 6, dtype=torch.float64, generator=generator).requires_grad_() for _ in range(2)]
    wanted = [x_BTCHW, *cell.parameters(), *(before if given_state else [])]

    def differentiate(memory: TrainingMemory) -> tuple[Tensor, ...]:
        hidden_BTDHW, state = unroll(cell, x_BTCHW, MapState(*before) if given_state else None, memory=memory)
        loss = (hidden_BTDHW * torch.linspace(0.5, 2.0, num_frames).view(-1, 1, 1, 1)).sin().sum()
        return hidden_BTDHW, *torch.autograd.grad(loss + state.memory_BDHW.square().sum(), wanted)

    keep, recompute = (differentiate(memory) for memory in get_args(TrainingMemory))
    torch.testing.assert_close(recompute, keep, rtol=1e-10, atol=1e-10)


def bytes_kept(cell: Cell, memory: TrainingMemory) -> int:
    """Bytes of maps that the graph of one pass holds on to, each storage once."""
    kept: dict[int, int] = {}
    weights = {parameter.untyped_storage().data_ptr() for parameter in cell.parameters()}

    def note(tensor: Tensor) -> Tensor:
        store = tensor.untyped_storage()
        if store.data_ptr() not in weights:
            kept[store.data_ptr()] = store.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        # Held until the end, so that no storage gets another's place.
        output = unroll(cell, random_maps().requires_grad_(), memory=memory)
    total = sum(kept.values())
    del output
    return total


@every_cell
def test_recomputing_keeps_states_alone(config_type: type[Config]) -> None:
    cell = build(config_type)
    assert bytes_kept(cell, "recompute") < 0.5 * bytes_kept(cell, "keep")


@every_cell
def test_only_training_steps_twice(config_type: type[Config]) -> None:
    cell, x_BTCHW = build(config_type), random_maps()
    steps: list[None] = []
    cell.register_forward_pre_hook(lambda *_: steps.append(None))
    with torch.no_grad():
        unroll(cell, x_BTCHW, memory="recompute")
    assert len(steps) == NUM_FRAMES
    unroll(cell, x_BTCHW, memory="recompute").hidden_BTDHW.sum().backward()
    assert len(steps) == 3 * NUM_FRAMES


@every_cell
def test_a_compiled_unrolling_computes_the_same(config_type: type[Config]) -> None:
    cell, x_BTCHW = build(config_type), random_maps(3)
    compiled = torch.compile(unroll, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(cell, x_BTCHW), unroll(cell, x_BTCHW), rtol=0, atol=1e-12)


@every_cell
@pytest.mark.parametrize(("num_clips", "num_frames"), [(1, 1), (1, 3), (2, 1), (2, 3)])
@pytest.mark.parametrize("with_grad", [False, True])
def test_maps_reach_every_convolution_as_the_cell_wants_them(
    config_type: type[Config], num_clips: int, num_frames: int, with_grad: bool
) -> None:
    # One single map whose strides say something else is silently copied at every convolution.
    cell, came = build(config_type), []
    for module in cell.modules():
        # What a cell makes inside may have other channels, and so other strides.
        if isinstance(module, nn.Conv2d) and module.in_channels == 3:
            module.register_forward_hook(lambda _, inputs, output: came.append(inputs[0]))
    with torch.set_grad_enabled(with_grad):
        channels_last = cell.wants_channels_last(torch.device("cpu"))
        state = unroll(cell, random_maps(num_frames, num_clips)).state
        unroll(cell, random_maps(num_frames, num_clips), state)
    order = torch.channels_last if channels_last else torch.contiguous_format
    wanted = [torch.empty(x.shape).contiguous(memory_format=order).stride() for x in came]
    assert [x.stride() for x in came] == wanted
