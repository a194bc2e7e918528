"""What the paper's tables of two data sets hold, by the names of our rows."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

COLUMNS = {"": "EgoGesture test", "_nvgesture": "NVGesture test"}


def name_columns(per_cent: Mapping[str, tuple[float, float]]) -> dict[str, object]:
    """Return, for each row of ours, where its number was measured and the number as a fraction."""
    return {
        f"{name}{suffix}": [(where, pytest.approx(value / 100))]
        for name, values in per_cent.items()
        for (suffix, where), value in zip(COLUMNS.items(), values, strict=True)
    }
