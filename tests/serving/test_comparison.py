"""Comparison: counts and differences by hand, the sign test against binomial sums, and what is refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from contextlib import ExitStack
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mudra.clips import ArraySource, ClipSpec, FrameSource, RgbChannels, RunCard
from mudra.errors import ConfigError, DataError, ModelError, VideoError
from mudra.serving import Member, Predictor
from mudra.serving.comparison import compare, count_pairs, sign_test, write_comparison
from mudra.types import Frames, Recording, Stream

CLASSES = ("dark", "middle", "light")
# Levels of the clips of each class, and those that each run takes for the class's own.
LEVELS = ((10, 12, 80), (120, 122, 124, 126), (220, 250))
FIRST, SECOND = (11, 123, 240), (11, 85, 190)


class Nearest(nn.Module):
    """Names the class whose level is nearest to the clip's mean."""

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        self.levels = torch.tensor(levels, dtype=torch.float32)

    def forward(self, clip_BTCHW: Tensor) -> Tensor:
        return -(clip_BTCHW.mean(dim=(1, 2, 3, 4))[:, None] - self.levels).abs()


def recordings() -> list[Recording]:
    return [
        Recording(path=Path(f"{level}.mp4"), label=label, split="test")
        for label, levels in enumerate(LEVELS)
        for level in levels
    ]


def member(name: str, levels: Sequence[int], *, order: Sequence[int] = (0, 1, 2), refuse: str = "") -> Member:
    """Return a run that knows the classes in another order."""
    spec = ClipSpec(num_frames=2, size=(16, 16), rgb=RgbChannels(mean=(0, 0, 0), divisor=(1, 1, 1)))
    card = RunCard(classes=tuple(CLASSES[index] for index in order), clip=spec)

    def open_sources(recording: Recording, stack: ExitStack) -> dict[Stream, FrameSource]:
        if recording.path.stem == refuse:
            raise VideoError(recording.path, "is damaged")
        frames_THWC = np.full((4, 16, 16, 3), int(recording.path.stem), np.uint8)
        return {Stream.RGB: ArraySource(Frames(frames_THWC, np.arange(4) / 10.0))}

    return Member(name, Predictor(Nearest([levels[index] for index in order]), card, device="cpu"), open_sources)


def test_classes_and_counts_are_those_of_the_clips() -> None:
    found = compare(member("a", FIRST), member("b", SECOND, order=(2, 0, 1)), recordings())
    # Both take 80 for middle; all else is right, 120 to 126 lying nearer to 85 than to 190.
    assert [tuple(one) for one in found.classes] == [("dark", 3, 2, 2), ("light", 2, 2, 2), ("middle", 4, 4, 4)]
    other = compare(member("a", FIRST), member("b", (80, 11, 190)), recordings())
    assert {one.name: (one.first_accuracy, one.second_accuracy) for one in other.classes} == {
        "dark": (2 / 3, 1 / 3),
        "middle": (1.0, 0.0),
        "light": (1.0, 1.0),
    }
    assert [one.name for one in other.classes] == ["light", "dark", "middle"]
    assert other.counts == (3 - 1, 6, 1, 0)
    assert (other.gained, other.lost) == ([], ["dark", "middle"])


@pytest.mark.parametrize(("first", "second"), list(product(range(7), repeat=2)))
def test_the_sign_test_counts_every_outcome(first: int, second: int) -> None:
    coins = first + second
    outcomes = [sum(faces) for faces in product((0, 1), repeat=coins)]
    uneven = sum(abs(2 * heads - coins) >= abs(first - second) for heads in outcomes)
    assert sign_test(first, second) == pytest.approx(float(Fraction(uneven, 2**coins)))


def test_the_sign_test_takes_thousands_of_clips() -> None:
    assert sign_test(3000, 3000) == 1.0
    assert 0.0 < sign_test(2900, 3100) < 0.02


def test_pairs_are_counted_by_who_is_right() -> None:
    pairs = [(True, True)] * 3 + [(True, False)] * 2 + [(False, True)] + [(False, False)] * 4
    counts = count_pairs(pairs)
    assert counts == (3, 2, 1, 4)
    assert counts.p_value == 1.0


def test_a_clip_that_one_run_cannot_read_is_left_out_for_both() -> None:
    found = compare(member("a", FIRST), member("b", SECOND, refuse="250"), recordings())
    assert len(found.recordings) == sum(found.counts) == 8
    assert [clip.path for clip in found.unread] == ["250.mp4"]


def test_tables_hold_the_numbers(tmp_path: Path) -> None:
    found = compare(member("a", FIRST), member("b", (80, 11, 190)), recordings())
    table, numbers = write_comparison(tmp_path / "new" / "out", found)
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[-1] == {
        "class": "middle",
        "num_clips": "4",
        "accuracy of a": "1",
        "accuracy of b": "0",
        "difference": "-1",
    }
    told = json.loads(numbers.read_text(encoding="utf-8"))
    assert told["top1"] == [8 / 9, 3 / 9]
    assert told["counts"] == {"both": 2, "first_alone": 6, "second_alone": 1, "neither": 0}
    assert told["p_value"] == pytest.approx(2 * (1 + 7) / 2**7)


def test_what_cannot_be_compared_is_refused() -> None:
    first = member("a", FIRST)
    with pytest.raises(ConfigError, match=r"both runs are called a\n  hint: name two different runs"):
        compare(first, member("a", SECOND), recordings())
    other = member("b", SECOND)
    card = other.predictor.card.model_copy(update={"classes": ("dark", "middle", "dim")})
    stranger = other._replace(predictor=Predictor(Nearest(SECOND), card, device="cpu"))
    with pytest.raises(ModelError, match=r"a and b know different classes: the second lacks light and adds dim"):
        compare(first, stranger, recordings())
    alone = [Recording(path=Path(f"{level}.mp4"), label=label) for label, level in ((0, 10), (1, 120))]
    with pytest.raises(DataError, match=r"no recording can be read by both runs\n  hint: "):
        compare(member("a", FIRST, refuse="10"), member("b", SECOND, refuse="120"), alone)
