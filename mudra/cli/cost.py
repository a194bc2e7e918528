"""`mudra cost`: what a recipe's network costs, counted."""

from __future__ import annotations

import json

import typer


def cost(
    recipe: str = typer.Argument(..., metavar="RECIPE|FILE.yaml", help="The recipe."),
    overrides: list[str] = typer.Argument(None, metavar="dotted.key=value", help="Settings to change."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Count parameters by part, and multiply-accumulates per clip and per frame.

    Example: mudra cost zhang2018/table1/variant_a --json
    """
    from mudra.cli.common import find_config
    from mudra.models import measure_complexity

    config = find_config(recipe, overrides or [], tell=lambda line: None)
    clip = config.clip
    updates = {"in_channels": clip.num_channels}
    if config.model.num_classes is None:
        updates["num_classes"] = len(config.data.build().card.classes) if config.data is not None else 10
    network = config.model.model_copy(update=updates).build()
    counted = measure_complexity(network, num_frames=clip.num_frames, in_channels=clip.num_channels, size=clip.size)
    if as_json:
        typer.echo(json.dumps({**counted.to_json(), "num_classes": network.num_classes}, indent=2))
        return
    typer.echo(f"{recipe}: {clip.num_frames} frames of {clip.size[1]}x{clip.size[0]}, {network.num_classes} classes")
    typer.echo(f"{'part':<12}{'parameters':>14}{'MAC per clip':>18}")
    for part in {**counted.parameters_by_part, **counted.macs_by_part}:
        parameters, macs = counted.parameters_by_part.get(part, 0), counted.macs_by_part.get(part, 0)
        typer.echo(f"{part:<12}{parameters:>14,}{macs:>18,}")
    typer.echo(f"{'total':<12}{counted.parameters:>14,}{counted.macs_per_clip:>18,}")
    typer.echo(f"{'per frame':<12}{'':>14}{round(counted.macs_per_frame):>18,}")
