"""`mudra cost`: what a recipe's network, or one cell, costs, counted."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from mudra.errors import ConfigError, nearest_name

if TYPE_CHECKING:
    from torch import nn

    from mudra.cells import CellCost
    from mudra.training import RunConfig

PAPER_MAP = "28x28"  # Zhang et al. 2018, figure 1: the maps that the recurrent layers see


def cost(
    recipe: str = typer.Argument(None, metavar="RECIPE|FILE.yaml", help="The recipe; none with --cell."),
    overrides: list[str] = typer.Argument(None, metavar="dotted.key=value", help="Settings to change."),
    cell: str = typer.Option(None, "--cell", metavar="NAME", help="Count one cell, see mudra list cells."),
    map_size: str = typer.Option(
        None, "--map", metavar="WIDTHxHEIGHT", help=f"With --cell: the map that it runs on; {PAPER_MAP} if left out."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Count parameters by part, and multiply-accumulates per clip and per frame; or one cell's, per step.

    Example: mudra cost zhang2018/table1/variant_a --json

    Example: mudra cost --cell gated_conv_lstm in_channels=256 hidden_channels=256 kernel_size=3 --map 28x28
    """
    words = [word for word in (recipe, *(overrides or [])) if word is not None]
    if cell is not None:
        _show_cell(cell, words, map_size=map_size or PAPER_MAP, as_json=as_json)
        return
    if map_size is not None:
        raise ConfigError(
            "--map is for one cell", hint="add --cell NAME; a recipe says its own size: clip.size=[112,112]"
        )
    if not words:
        raise ConfigError(
            "nothing to count", hint="give a recipe (mudra list recipes) or --cell NAME (mudra list cells)"
        )
    _show_recipe(words[0], words[1:], as_json=as_json)


def _show_recipe(recipe: str, overrides: list[str], *, as_json: bool) -> None:
    from mudra.cli.common import find_config
    from mudra.models import measure_complexity

    config = find_config(recipe, overrides, tell=lambda line: None)
    clip = config.clip
    network, channels, says = _build(config)
    counted = measure_complexity(network, num_frames=clip.num_frames, in_channels=channels, size=clip.size)
    printed = _printed_gflops(config)
    comes_out = printed == round(counted.macs_per_clip / 1e9, 1)
    if as_json:
        paper = {} if printed is None else {"paper_gflops": printed, "paper_gflops_comes_out": comes_out}
        typer.echo(json.dumps({**counted.to_json(), **says, **paper}, indent=2))
        return
    told = f"{says['num_classes']} classes" if "num_classes" in says else f"{says['num_frames_out']} frames predicted"
    typer.echo(f"{recipe}: {clip.num_frames} frames of {clip.size[1]}x{clip.size[0]}, {told}")
    typer.echo(f"{'part':<12}{'parameters':>14}{'MAC per clip':>18}")
    for part in {**counted.parameters_by_part, **counted.macs_by_part}:
        parameters, macs = counted.parameters_by_part.get(part, 0), counted.macs_by_part.get(part, 0)
        typer.echo(f"{part:<12}{parameters:>14,}{macs:>18,}")
    typer.echo(f"{'total':<12}{counted.parameters:>14,}{counted.macs_per_clip:>18,}")
    typer.echo(f"{'per frame':<12}{'':>14}{round(counted.macs_per_frame):>18,}")
    if printed is not None:
        outcome = "comes out" if comes_out else "does not reproduce"
        giga = counted.macs_per_clip / 1e9
        typer.echo(f"the paper prints {printed} GFLOPs per clip, which {outcome}: {giga:.3f} G MAC counted")
    if counted.shift_macs:
        typer.echo(f"not counted: {counted.shift_macs:,} products of learned shifts, which only move frames at first")
    if counted.training_parameters_by_part:
        parts = ", ".join(counted.training_parameters_by_part)
        alone = sum(counted.training_parameters_by_part.values())
        typer.echo(f"in training alone ({parts}): {alone:,} parameters, {counted.training_macs:,} MAC per clip")


def _printed_gflops(config: RunConfig) -> float | None:
    """Return the paper's GFLOPs for a run; None if its network or its clips are not the recipe's any more."""
    from mudra.recipes import list_recipes

    row = next((found for found in list_recipes() if found.name == config.recipe), None)
    if row is None or row.paper_gflops is None:
        return None
    own = row.build()
    return row.paper_gflops if (config.model, config.clip) == (own.model, own.clip) else None


class _Built(NamedTuple):
    """A recipe's network, the channels that it sees, and what its answer consists of."""

    network: nn.Module
    channels: int
    says: dict[str, int]


def _build(config: RunConfig) -> _Built:
    from mudra.models import FutureNetConfig
    from mudra.training.future_data import fill_future

    model, channels = config.model, config.clip.num_channels
    if isinstance(model, FutureNetConfig):
        future = fill_future(config)
        channels = future.in_channels + future.flow_channels
        return _Built(future.build(), channels, {"num_frames_out": future.num_frames_out})
    num_classes = model.num_classes
    if num_classes is None:
        num_classes = len(config.data.build().card.classes) if config.data is not None else 10
    filled = model.model_copy(update={"in_channels": channels, "num_classes": num_classes})
    return _Built(filled.build(), channels, {"num_classes": num_classes})


def _show_cell(name: str, overrides: list[str], *, map_size: str, as_json: bool) -> None:
    from mudra.cells import AnyRecurrentLayerConfig, measure_cell
    from mudra.config import configs_in

    configs: dict[str, Any] = {
        config.model_fields["kind"].default: config for config in configs_in(AnyRecurrentLayerConfig)
    }
    if name not in configs:
        raise ConfigError(f"no cell {name!r}", hint=f"{nearest_name(name, configs)} Cells: mudra list cells")
    size = _read_map(map_size)
    layer = configs[name].from_mapping({}).with_overrides(overrides).build()
    counted = measure_cell(layer, size=size)
    if as_json:
        typer.echo(json.dumps(counted.to_json(), indent=2))
        return
    channels = f"{layer.in_channels} channels into {layer.hidden_channels}"
    typer.echo(f"{name}: {channels}, one frame of {size[1]}x{size[0]}")
    _show_table(counted)


def _show_table(counted: CellCost) -> None:
    rows = [
        ("weights", counted.weights, counted.paper_weights),
        ("biases", counted.biases, None),
        ("MAC per step", counted.macs_per_step, counted.paper_mult_adds),
    ]
    if counted.weights_input_to_hidden is not None:
        rows.insert(1, ("weights, input to hidden", counted.weights_input_to_hidden, None))
    width = max(14, *(len(what) + 2 for what, *_ in rows))
    typer.echo(f"{'':<{width}}{'counted':>16}{'paper':>16}")
    for what, true, paper in rows:
        typer.echo(f"{what:<{width}}{true:>16,}{'-' if paper is None else f'{paper:,}':>16}")


def _read_map(text: str) -> tuple[int, int]:
    """Return height and width of WIDTHxHEIGHT."""
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if found is None or not all(int(side) for side in found.groups()):
        raise ConfigError(f"--map is {text!r}, wanted WIDTHxHEIGHT in cells of the map", hint="for example --map 28x28")
    return int(found[2]), int(found[1])
