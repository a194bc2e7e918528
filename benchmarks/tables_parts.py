"""What the pages of numbers are made of: Markdown tables, where rows come from, pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.common import RESULTS, read_rows

Row = dict[str, Any]
# What tells the cases of a results file apart, as far as its rows have it.
CASE_KEYS = ("case", "cache", "workers", "streams", "hardness", "size", "recipe", "video_minutes")


def rows_of(name: str) -> list[Row]:
    """Return the rows of one benchmark."""
    return read_rows(RESULTS / f"{name}.jsonl")


def newest(rows: list[Row], *keys: str) -> list[Row]:
    """Return the last row of each combination of values of `keys`, in the order of their first rows."""
    return list({tuple(str(row.get(key)) for key in keys): row for row in rows}.values())


def simple(title: str, name: str, text: str, columns: dict[str, str]) -> list[str]:
    """Return a section with a table of the newest row of each case of one benchmark.

    Args:
        title: Of the section.
        name: The benchmark's.
        text: What stands above the table.
        columns: Keys of the rows and the heads of their columns.
    """
    rows = rows_of(name)
    if not rows:
        return []
    rows = newest(rows, *(key for key in CASE_KEYS if key in rows[-1]))
    return [f"## {title}", text, table_of(rows, columns), origin(rows)]


def table_of(rows: list[Row], columns: dict[str, str]) -> str:
    """Return the values of some keys of rows, as a Markdown table; nothing where a row has none."""
    return as_table(
        [{head: "" if row.get(key) is None else row[key] for key, head in columns.items()} for row in rows],
        list(columns.values()),
    )


def as_table(rows: list[Row], heads: list[str] | None = None) -> str:
    """Return rows as a Markdown table."""
    heads = heads or list(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(_cell(row.get(head, "")) for head in heads) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return "x".join(map(str, value)) if all(isinstance(item, int) for item in value) else ", ".join(map(str, value))
    # Times and ratios are rounded where they are measured; what is next to nothing is not.
    return f"{value:.1e}" if isinstance(value, float) and 0 < abs(value) < 1e-4 else str(value)


def picture(title: str, path: Path) -> list[str]:
    """Return the line that shows a picture beside the results; none while it is not drawn."""
    return [f"![{title}](../benchmarks/results/{path.name})"] if path.exists() else []


def origin(rows: list[Row]) -> str:
    """Say where rows come from."""
    row = rows[-1]
    versions = ", ".join(f"{name} {version}" for name, version in row.get("versions", {}).items())
    dates = dict.fromkeys((min(row["date"] for row in rows), max(row["date"] for row in rows)))
    cpus = " and ".join(dict.fromkeys(row.get("cpu", "") for row in rows))
    return f"`{row['command']}`, {' to '.join(dates)}, {cpus}, {row.get('num_cpus')} cores, {versions}."
