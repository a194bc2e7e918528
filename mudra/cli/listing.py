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
    TOPS = "tops"
    HEADS = "heads"
    MODELS = "models"


def show(kind: Kind = typer.Argument(Kind.RECIPES, help="What to list.")) -> None:
    """List recipes, data sets, or the parts that a network is made of.

    Example: mudra list recipes
    """
    if kind is Kind.RECIPES:
        from mudra.recipes import list_recipes

        rows = list_recipes()
        name_width, status_width = (max(len(getattr(row, key)) for row in rows) + 2 for key in ("name", "status"))
        for row in rows:
            paper = "; ".join(f"paper: {e.metric} {e.value:.4f} on {e.where}" for e in row.paper)
            told = f"{row.summary}{f' [{paper}]' if paper else ''}"
            typer.echo(f"{row.name:<{name_width}}{row.status:<{status_width}}{told}")
        return
    from mudra.config import configs_in

    configs = configs_in(_union(kind))
    names = [config.model_fields["kind"].default for config in configs]
    for name, config in zip(names, configs, strict=True):
        summary = (config.__doc__ or "").strip().splitlines()[0]
        typer.echo(f"{name:<{max(map(len, names)) + 2}}{summary}")


def _union(kind: Kind) -> Any:
    from mudra.backbones import AnyBackboneConfig, AnyTopConfig
    from mudra.cells import AnyRecurrentLayerConfig
    from mudra.datasets import AnyDatasetConfig
    from mudra.heads import AnyHeadConfig
    from mudra.models import AnyModelConfig

    return {
        Kind.CELLS: AnyRecurrentLayerConfig,
        Kind.DATASETS: AnyDatasetConfig,
        Kind.BACKBONES: AnyBackboneConfig,
        Kind.TOPS: AnyTopConfig,
        Kind.HEADS: AnyHeadConfig,
        Kind.MODELS: AnyModelConfig,
    }[kind]
