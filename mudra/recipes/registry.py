"""Rows: recipes that are found by walking this package, each a function that returns a RunConfig.

A row is named after its place, `paper/table/row`; a preset of our own `ours/name`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import NamedTuple

import mudra.recipes
from mudra.errors import ConfigError, nearest_name
from mudra.training import RunConfig

_ATTRIBUTE = "__mudra_row__"


class Expected(NamedTuple):
    """A number that a paper prints.

    Args:
        metric: What it measures, for example `top1`.
        value: The number, fractions in [0, 1].
        where: Data set and split.
    """

    metric: str
    value: float
    where: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One recipe.

    Args:
        name: `paper/table/row` or `ours/name`.
        build: Returns its config.
        source: Where in the paper it stands.
        paper: What the paper reports for it.
        paper_gflops: What the paper prints as a clip's GFLOPs, multiplied and added counting once; None for nothing.
        status: `not yet run`, `runs`, `within <x> of the paper` or `differs: <why>`.
        summary: First line of its docstring.
    """

    name: str
    build: Callable[[], RunConfig]
    source: str
    paper: tuple[Expected, ...]
    paper_gflops: float | None
    status: str
    summary: str


class _Mark(NamedTuple):
    source: str
    paper: tuple[Expected, ...]
    paper_gflops: float | None
    status: str


def row(
    *,
    source: str,
    paper: tuple[Expected, ...] = (),
    paper_gflops: float | None = None,
    status: str = "not yet run",
) -> Callable[[Callable[[], RunConfig]], Callable[[], RunConfig]]:
    """Mark a function as a recipe's row."""

    def mark(build: Callable[[], RunConfig]) -> Callable[[], RunConfig]:
        setattr(build, _ATTRIBUTE, _Mark(source, paper, paper_gflops, status))
        return build

    return mark


@cache
def list_recipes() -> tuple[Row, ...]:
    """Return all rows, sorted by name."""
    rows = []
    for info in pkgutil.walk_packages(mudra.recipes.__path__, "mudra.recipes."):
        rows += _rows_of(importlib.import_module(info.name))
    return tuple(sorted(rows, key=lambda found: found.name))


def find_recipe(name: str) -> RunConfig:
    """Return a recipe's config.

    Raises:
        ConfigError: If there is no recipe of that name; the message names the nearest.

    Example:
        >>> find_recipe("zhang2018/table1/variant_a").model.num_classes
        27
    """
    by_name = {found.name: found for found in list_recipes()}
    if name not in by_name:
        raise ConfigError(f"no recipe {name!r}", hint=nearest_name(name, by_name))
    return by_name[name].build().model_copy(update={"recipe": name})


def _rows_of(module: ModuleType) -> list[Row]:
    place = module.__name__.removeprefix("mudra.recipes.").replace(".", "/")
    rows = []
    for function_name, function in vars(module).items():
        mark = getattr(function, _ATTRIBUTE, None)
        if mark is None or function.__module__ != module.__name__:
            continue
        # A preset's module holds one function of its own name: ours/small, not ours/small/small.
        name = place if place.endswith(f"/{function_name}") else f"{place}/{function_name}"
        summary = (function.__doc__ or "").strip().splitlines()[0] if function.__doc__ else ""
        rows.append(Row(name=name, build=function, summary=summary, **mark._asdict()))
    return rows
