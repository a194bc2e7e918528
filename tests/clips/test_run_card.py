"""RunCard: it says all that is needed, and survives JSON."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mudra.clips import ClipSpec, RunCard
from mudra.types import DepthFormat, Stream


def test_it_survives_json() -> None:
    card = RunCard(
        classes=("a", "ä"),
        clip=ClipSpec(streams=(Stream.DEPTH,), region="motion"),
        depth=DepthFormat(mm_per_level=2.5, missing_level=255),
        fps=25.0,
        metrics={"validation_top1": 0.5},
        left_out=("bad.mp4: truncated",),
        made_with={"seconds": 1.5},
    )
    assert RunCard.model_validate_json(card.model_dump_json()) == card


def test_a_run_without_classes_is_none() -> None:
    with pytest.raises(ValidationError, match="at least 1"):
        RunCard(classes=(), clip=ClipSpec())


def test_an_unknown_entry_is_refused() -> None:
    with pytest.raises(ValidationError, match="extra"):
        RunCard.model_validate({"classes": ["a"], "clip": {}, "colour": 1})
