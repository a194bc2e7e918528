"""`mudra list`: the names that other commands take."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import typer


class Kind(StrEnum):
    """What can be listed."""

    RECIPES = "recipes"
    CELLS = "cells"
    DATASETS = "datasets"
    BACKBONES = "backbones"


def show(kind: Kind = typer.Argument(Kind.RECIPES, help="What to list.")) -> None:
    """List recipes, cells, data sets or backbones.

    Example: mudra list recipes
    """
    if kind is Kind.RECIPES:
        from mudra.recipes import list_recipes

        for row in list_recipes():
            paper = "; ".join(f"paper: {e.metric} {e.value} on {e.where}" for e in row.paper)
            typer.echo(f"{row.name:<32}{row.status:<14}{row.summary}{f' [{paper}]' if paper else ''}")
        return
    from mudra.config import configs_in

    for config in configs_in(_union(kind)):
        summary = (config.__doc__ or "").strip().splitlines()[0]
        typer.echo(f"{config.model_fields['kind'].default:<20}{summary}")


def _union(kind: Kind) -> Any:
    from mudra.backbones import AnyBackboneConfig
    from mudra.cells import AnyCellConfig
    from mudra.datasets import AnyDatasetConfig

    return {Kind.CELLS: AnyCellConfig, Kind.DATASETS: AnyDatasetConfig, Kind.BACKBONES: AnyBackboneConfig}[kind]
