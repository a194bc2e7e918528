"""What every recurrence over vectors keeps, whatever its equations: found through the room's union of configs."""

from __future__ import annotations

import inspect
import itertools
import re
import typing
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mudra.cells import AnyVectorCellConfig, AnyVectorLayerConfig, VectorCell, VectorState, unroll_vectors
from mudra.cells.vector_cell import unroll_steps
from mudra.config import Config, configs_in

IN_FEATURES, HIDDEN_FEATURES, NUM_FRAMES = 3, 5, 9
# Every cell, and with settings that let PyTorch's own kernel run it.
VARIANTS: dict[str, dict[str, Any]] = {"peephole_lstm": {"peepholes": False}, "rnn": {"activation": "tanh"}}
CASES = [
    pytest.param(config, values, id=f"{config.__name__}{values or ''}")
    for config in configs_in(AnyVectorCellConfig)
    for values in ({}, VARIANTS[config.model_fields["kind"].default])
]

every_cell = pytest.mark.parametrize(("config_type", "values"), CASES)


def build(config_type: type[Config], values: dict[str, Any]) -> VectorCell:
    """The cell at a small size, with no two weights alike."""
    sizes = {"in_features": IN_FEATURES, "hidden_features": HIDDEN_FEATURES}
    config: Any = config_type.from_mapping(sizes | values)
    cell: VectorCell = config.build()
    generator = torch.Generator().manual_seed(7)
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)
    return cell


def random_vectors(num_clips: int = 2, num_frames: int = NUM_FRAMES) -> Tensor:
    return torch.randn(num_clips, num_frames, IN_FEATURES, generator=torch.Generator().manual_seed(1))


@every_cell
@given(cuts=st.sets(st.integers(1, NUM_FRAMES - 1)))
@settings(max_examples=10, deadline=None, derandomize=True, database=None)
def test_a_stream_in_pieces_equals_the_whole_clip(
    config_type: type[Config], values: dict[str, Any], cuts: set[int]
) -> None:
    cell, x_BTC = build(config_type, values).double(), random_vectors().double()
    whole, pieces, state = unroll_vectors(cell, x_BTC), [], None
    for first, last in itertools.pairwise([0, *sorted(cuts), NUM_FRAMES]):
        piece = unroll_vectors(cell, x_BTC[:, first:last], state)
        pieces.append(piece.hidden_BTD)
        state = piece.state
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole.hidden_BTD, rtol=0, atol=1e-12)
    torch.testing.assert_close(state, whole.state, rtol=0, atol=1e-12)


@every_cell
def test_step_by_step_is_the_same_as_at_once(config_type: type[Config], values: dict[str, Any]) -> None:
    cell, x_BTC = build(config_type, values).double(), random_vectors().double()
    at_once = unroll_vectors(cell, x_BTC)
    torch.testing.assert_close(at_once, unroll_steps(cell, x_BTC, cell.initial_state(x_BTC[:, 0]), None))
    state = None
    for x_BC in x_BTC.unbind(dim=1):
        state = cell.step(x_BC, state)
    torch.testing.assert_close(state, at_once.state)
    assert torch.equal(at_once.hidden_BTD[:, -1], at_once.state.hidden_BD)


@every_cell
def test_no_frame_is_seen_before_it_comes(config_type: type[Config], values: dict[str, Any]) -> None:
    cell, x_BTC = build(config_type, values), random_vectors()
    changed = x_BTC.clone()
    changed[:, 3:] += 1.0
    before, after = unroll_vectors(cell, x_BTC).hidden_BTD, unroll_vectors(cell, changed).hidden_BTD
    torch.testing.assert_close(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3:], after[:, 3:])


@every_cell
def test_clips_of_a_batch_are_independent(config_type: type[Config], values: dict[str, Any]) -> None:
    cell, x_BTC = build(config_type, values).double(), random_vectors(num_clips=3).double()
    together = unroll_vectors(cell, x_BTC).hidden_BTD
    for index in range(3):
        torch.testing.assert_close(
            together[index : index + 1], unroll_vectors(cell, x_BTC[index : index + 1]).hidden_BTD
        )


@every_cell
def test_every_parameter_gets_a_gradient(config_type: type[Config], values: dict[str, Any]) -> None:
    cell = build(config_type, values)
    unroll_vectors(cell, random_vectors()).hidden_BTD.square().sum().backward()
    for name, parameter in cell.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.count_nonzero() == parameter.numel(), f"{name}: part of it gets none"


@every_cell
def test_gradients_through_time_are_exact(config_type: type[Config], values: dict[str, Any]) -> None:
    cell, x_BTC = build(config_type, values).double(), random_vectors(1, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: unroll_vectors(cell, x).hidden_BTD[:, -1], x_BTC)


@every_cell
def test_lower_precisions_compute_nearly_the_same(config_type: type[Config], values: dict[str, Any]) -> None:
    cell, x_BTC = build(config_type, values), random_vectors()
    exact = unroll_vectors(cell, x_BTC).hidden_BTD
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(unroll_vectors(cell, x_BTC).hidden_BTD.float(), exact, atol=0.05, rtol=0.05)
    rough = unroll_vectors(cell.bfloat16(), x_BTC.bfloat16()).hidden_BTD
    assert rough.dtype is torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, atol=0.05, rtol=0.05)


@every_cell
def test_the_first_state_has_the_inputs_precision_and_device(config_type: type[Config], values: dict[str, Any]) -> None:
    cell = build(config_type, values)
    state = cell.initial_state(torch.ones(2, IN_FEATURES, dtype=torch.float64))
    assert [tuple(part.shape) for part in state] == [(2, HIDDEN_FEATURES), (2, cell.memory_features)]
    assert all(part.dtype is torch.float64 and part.count_nonzero() == 0 for part in state)
    assert cell.initial_state(torch.ones(2, IN_FEATURES, device="meta")).hidden_BD.device.type == "meta"


@every_cell
def test_a_state_goes_through_unchanged(config_type: type[Config], values: dict[str, Any]) -> None:
    cell, x_BTC = build(config_type, values), random_vectors()
    kept = unroll_vectors(cell, x_BTC).state
    copies = VectorState(*(part.clone() for part in kept))
    unroll_vectors(cell, x_BTC, kept)
    assert all(torch.equal(part, copy) for part, copy in zip(kept, copies, strict=True))


@every_cell
def test_a_state_holds_itself_and_nothing_else(config_type: type[Config], values: dict[str, Any]) -> None:
    with torch.no_grad():
        output = unroll_vectors(build(config_type, values), random_vectors())
    for part in output.state:
        assert part.grad_fn is None
        assert part.untyped_storage().nbytes() == part.numel() * part.element_size()


@every_cell
def test_a_compiled_unrolling_computes_the_same(config_type: type[Config], values: dict[str, Any]) -> None:
    cell, x_BTC = build(config_type, values).double(), random_vectors(num_frames=3).double()
    compiled = torch.compile(unroll_vectors, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(cell, x_BTC), unroll_vectors(cell, x_BTC), rtol=0, atol=1e-12)


@every_cell
def test_config_survives_yaml_and_agrees_with_the_constructor(
    config_type: type[Config], values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config: Any = config_type.from_mapping({"in_features": 3, "hidden_features": 5} | values)
    path = tmp_path / "cell.yaml"
    path.write_text(config.to_yaml())
    assert config_type.from_yaml(path) == config
    fields = {name: f.get_default() for name, f in config_type.model_fields.items() if name != "kind"}
    cell_class = type(config.build())
    parameters = inspect.signature(cell_class).parameters.values()
    assert {p.kind for p in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    told = dict.fromkeys(("in_features", "hidden_features"))
    assert {p.name: told.get(p.name, p.default) for p in parameters} == fields
    monkeypatch.setattr(inspect.getmodule(config_type), cell_class.__name__, lambda **arguments: arguments)
    assert config.build() == config.model_dump(exclude={"kind"})


@every_cell
def test_the_file_is_its_papers_page_and_names_share_a_stem(config_type: type[Config], values: dict[str, Any]) -> None:
    page = inspect.getmodule(config_type).__doc__ or ""
    assert re.search(r"^Source: .*\d{4}.*equations? \d+", page, flags=re.MULTILINE)
    assert re.search(r"^Differs: ", page, flags=re.MULTILINE)
    assert re.search(r"^    h_t = ", page, flags=re.MULTILINE), "the equations themselves"
    stem = config_type.__name__.removesuffix("Config")
    kind = config_type.model_fields["kind"].default
    assert type(build(config_type, values)).__name__ == f"{stem}Cell"
    assert kind.replace("_", "") == stem.lower()
    assert config_type.__module__ == f"mudra.cells.{kind}"


def test_unions_are_told_apart_by_kind() -> None:
    for union in (AnyVectorCellConfig, AnyVectorLayerConfig):
        assert typing.get_args(union)[1].discriminator == "kind"
