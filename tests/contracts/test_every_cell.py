"""What every cell keeps, whatever its equations: found through the room's union of configs."""

from __future__ import annotations

import importlib
import inspect
import itertools
import pkgutil
import re
import typing
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mudra import cells
from mudra.cells import AnyCellConfig, AnyRecurrentLayerConfig, AnyVectorLayerConfig, Cell, MapState, unroll
from mudra.config import Config, configs_in

CONFIGS = configs_in(AnyCellConfig)
IN_CHANNELS, HIDDEN_CHANNELS, NUM_FRAMES = 3, 5, 6

every_cell = pytest.mark.parametrize("config_type", CONFIGS, ids=lambda config: config.__name__)


def build(config_type: type[Config]) -> Cell:
    """The cell at a small size, with no two weights alike."""
    config: Any = config_type.from_mapping({"in_channels": IN_CHANNELS, "hidden_channels": HIDDEN_CHANNELS})
    cell: Cell = config.build()
    generator = torch.Generator().manual_seed(7)
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    return cell


def kernels(config_type: type[Config], side: int) -> dict[str, Any]:
    """The setting of a kernel's side, of which some cells have several and some none."""
    values = {"kernel_size": side, "kernel_sizes": (side, 3)}
    return {name: value for name, value in values.items() if name in config_type.model_fields}


def random_maps(num_clips: int = 2, num_frames: int = NUM_FRAMES, size: tuple[int, int] = (5, 7)) -> torch.Tensor:
    return torch.randn(num_clips, num_frames, IN_CHANNELS, *size, generator=torch.Generator().manual_seed(1))


def cell_class(config_type: type[Config]) -> type[Cell]:
    return type(build(config_type))


@every_cell
@given(cuts=st.sets(st.integers(1, NUM_FRAMES - 1)))
@settings(max_examples=12, deadline=None, derandomize=True, database=None)
def test_a_stream_in_pieces_equals_the_whole_clip(config_type: type[Config], cuts: set[int]) -> None:
    cell, x_BTCHW = build(config_type).double(), random_maps().double()
    whole = unroll(cell, x_BTCHW)
    bounds = [0, *sorted(cuts), NUM_FRAMES]
    pieces, state = [], None
    for first, last in itertools.pairwise(bounds):
        piece = unroll(cell, x_BTCHW[:, first:last], state)
        pieces.append(piece.hidden_BTDHW)
        state = piece.state
    assert state is not None
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole.hidden_BTDHW)
    torch.testing.assert_close(state.memory_BDHW, whole.state.memory_BDHW)


@every_cell
def test_the_last_output_is_the_hidden_map_of_the_state(config_type: type[Config]) -> None:
    hidden_BTDHW, state = unroll(build(config_type), random_maps())
    assert hidden_BTDHW.shape == (2, NUM_FRAMES, HIDDEN_CHANNELS, 5, 7)
    assert torch.equal(hidden_BTDHW[:, -1], state.hidden_BDHW)


@every_cell
def test_no_frame_is_seen_before_it_comes(config_type: type[Config]) -> None:
    cell, x_BTCHW = build(config_type), random_maps()
    changed = x_BTCHW.clone()
    changed[:, 3:] += 1.0
    before, after = unroll(cell, x_BTCHW).hidden_BTDHW, unroll(cell, changed).hidden_BTDHW
    torch.testing.assert_close(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3:], after[:, 3:])


@every_cell
def test_clips_of_a_batch_are_independent(config_type: type[Config]) -> None:
    cell, x_BTCHW = build(config_type).double(), random_maps(num_clips=3).double()
    together = unroll(cell, x_BTCHW).hidden_BTDHW
    for index in range(3):
        torch.testing.assert_close(together[index : index + 1], unroll(cell, x_BTCHW[index : index + 1]).hidden_BTDHW)


@every_cell
def test_every_parameter_gets_a_gradient(config_type: type[Config]) -> None:
    cell = build(config_type)
    unroll(cell, random_maps()).hidden_BTDHW.square().sum().backward()
    for name, parameter in cell.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.count_nonzero() == parameter.numel(), f"{name}: part of it gets none"


@every_cell
def test_gradients_through_time_are_exact(config_type: type[Config]) -> None:
    # Against differences of the output itself: a cut in hidden or memory maps would train, but worse.
    cell = build(config_type).double()
    x_BTCHW = random_maps(num_clips=1, num_frames=3, size=(2, 3)).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: unroll(cell, x).hidden_BTDHW[:, -1], x_BTCHW)


@every_cell
def test_bfloat16_computes_nearly_the_same(config_type: type[Config]) -> None:
    cell, x_BTCHW = build(config_type), random_maps()
    exact = unroll(cell, x_BTCHW).hidden_BTDHW
    rough = unroll(cell.bfloat16(), x_BTCHW.bfloat16()).hidden_BTDHW
    assert rough.dtype is torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, atol=0.05, rtol=0.05)


@every_cell
def test_autocast_computes_nearly_the_same(config_type: type[Config]) -> None:
    cell, x_BTCHW = build(config_type), random_maps()
    exact = unroll(cell, x_BTCHW).hidden_BTDHW
    with torch.autocast("cpu", torch.bfloat16):
        rough = unroll(cell, x_BTCHW).hidden_BTDHW
    torch.testing.assert_close(rough.float(), exact, atol=0.05, rtol=0.05)


@every_cell
@pytest.mark.parametrize("size", [(1, 1), (2, 9)])
def test_one_frame_of_any_size(config_type: type[Config], size: tuple[int, int]) -> None:
    hidden_BTDHW, _ = unroll(build(config_type), random_maps(num_frames=1, size=size))
    assert hidden_BTDHW.shape == (2, 1, HIDDEN_CHANNELS, *size)
    assert hidden_BTDHW.isfinite().all()


@every_cell
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_first_state_has_the_inputs_precision_and_device(config_type: type[Config], dtype: torch.dtype) -> None:
    cell = build(config_type)
    state = cell.initial_state(torch.ones(2, IN_CHANNELS, 4, 6, dtype=dtype))
    for part in state:
        assert (part.shape, part.dtype) == ((2, HIDDEN_CHANNELS, 4, 6), dtype)
        assert part.count_nonzero() == 0
    on_meta = cell.initial_state(torch.ones(2, IN_CHANNELS, 4, 6, device="meta"))
    assert {part.device.type for part in on_meta} == {"meta"}


@every_cell
def test_a_state_goes_through_unchanged(config_type: type[Config]) -> None:
    # Whoever keeps a state to branch off from it must find it as it was.
    cell, x_BTCHW = build(config_type), random_maps(num_frames=1)
    kept = unroll(cell, x_BTCHW).state
    copies = MapState(*(part.clone() for part in kept))
    unroll(cell, x_BTCHW, kept)
    assert all(torch.equal(part, copy) for part, copy in zip(kept, copies, strict=True))


@every_cell
def test_what_a_step_consists_of_makes_the_step(config_type: type[Config]) -> None:
    cell, x_BTCHW = build(config_type).double(), random_maps(num_frames=2).double()
    state = cell.step(x_BTCHW[:, 0])
    from_input = tuple(part[:, 1] for part in cell.precompute(x_BTCHW))
    inside = cell.inspect(from_input, state)
    memory_BDHW = inside["forget_gate"] * state.memory_BDHW + inside["input_gate"] * inside["candidate"]
    after = cell(from_input, state)
    torch.testing.assert_close(after.memory_BDHW, memory_BDHW)
    torch.testing.assert_close(after.hidden_BDHW, inside["output_gate"] * memory_BDHW.tanh())


@every_cell
def test_what_a_step_consists_of_has_known_names_shapes_and_ranges(config_type: type[Config]) -> None:
    cell, x_BTCHW = build(config_type), random_maps(num_frames=1)
    inside = cell.inspect(tuple(part[:, 0] for part in cell.precompute(x_BTCHW)), cell.step(x_BTCHW[:, 0]))
    gates = ["input_gate", "forget_gate", "output_gate"]
    assert {*gates, "candidate"} <= inside.keys() <= {*gates, "candidate", "attention"}
    for name in (*gates, *({"attention"} & inside.keys())):
        assert 0 <= inside[name].min() <= inside[name].max() <= 1, name
        assert inside[name].ndim == 4
    assert all(inside[name].shape in {(2, HIDDEN_CHANNELS, 1, 1), (2, HIDDEN_CHANNELS, 5, 7)} for name in gates)
    assert inside["candidate"].shape == (2, HIDDEN_CHANNELS, 5, 7)


@every_cell
def test_the_config_survives_yaml(config_type: type[Config], tmp_path: Path) -> None:
    given = {"in_channels": 3, "hidden_channels": 5, "forget_bias": 1.0}
    config = config_type.from_mapping({**given, **kernels(config_type, 5)})
    path = tmp_path / "cell.yaml"
    path.write_text(config.to_yaml())
    assert config_type.from_yaml(path) == config


@every_cell
def test_constructor_and_config_agree(config_type: type[Config]) -> None:
    fields = {name: f.get_default() for name, f in config_type.model_fields.items() if name != "kind"}
    parameters = inspect.signature(cell_class(config_type)).parameters.values()
    assert {p.kind for p in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    # Inside a network the config leaves both to it; a constructor must be told.
    told = dict.fromkeys(("in_channels", "hidden_channels"))
    assert {p.name: told.get(p.name, p.default) for p in parameters} == fields


@every_cell
def test_build_hands_on_every_value(config_type: type[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    module, name = inspect.getmodule(config_type), cell_class(config_type).__name__
    config: Any = config_type.from_mapping({"in_channels": 3, "hidden_channels": 5, **kernels(config_type, 7)})
    monkeypatch.setattr(module, name, lambda **arguments: arguments)
    assert config.build() == config.model_dump(exclude={"kind"})


@every_cell
def test_the_file_is_its_papers_page(config_type: type[Config]) -> None:
    page = inspect.getmodule(config_type).__doc__ or ""
    assert re.search(r"^Source: .*\d{4}.*equations? \d+", page, flags=re.MULTILINE), "source and equations"
    assert re.search(r"^Differs: ", page, flags=re.MULTILINE)
    assert re.search(r"^    H_t = ", page, flags=re.MULTILINE), "the equations themselves"


@every_cell
def test_names_share_a_stem(config_type: type[Config]) -> None:
    stem = config_type.__name__.removesuffix("Config")
    kind = config_type.model_fields["kind"].default
    assert cell_class(config_type).__name__ == f"{stem}Cell"
    assert kind.replace("_", "") == stem.lower()
    assert config_type.__module__ == f"mudra.cells.{kind}"


def test_every_config_of_the_room_is_registered() -> None:
    modules = [importlib.import_module(f"mudra.cells.{found.name}") for found in pkgutil.iter_modules(cells.__path__)]
    here = [
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Config) and value.__module__ == module.__name__
    ]
    assert set(here) == {*configs_in(AnyRecurrentLayerConfig), *configs_in(AnyVectorLayerConfig)}


def test_the_union_is_told_apart_by_kind() -> None:
    assert typing.get_args(AnyCellConfig)[1].discriminator == "kind"
