"""Speeds: shares of squared velocities, of a picture that moves by a known step, and classes together."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import pytest

from mudra.clips import ArraySource, FrameSource
from mudra.errors import ClipError
from mudra.serving.flow_speed import EDGES, measure_speeds, median_of, share_of_speeds, speed_shares, write_speeds
from mudra.types import Frames, Recording, Stream


def moving(step_px: int, *, num_frames: int = 12, is_depth: bool = False) -> Frames:
    """Return a rough ground that moves to the right as a whole."""
    generator = np.random.default_rng(0)
    ground = cv2.GaussianBlur(generator.integers(0, 255, (96, 400)).astype(np.float32), (0, 0), 3.0)
    ground = (ground - ground.min()) / (ground.max() - ground.min())
    cuts = [ground[:, 200 - step_px * t : 328 - step_px * t] for t in range(num_frames)]
    frames_THW = np.stack(cuts)
    if is_depth:
        return Frames((500 + 400 * frames_THW[..., None]).astype(np.uint16), np.arange(num_frames) / 10.0)
    return Frames((255 * frames_THW[..., None]).repeat(3, axis=3).astype(np.uint8), np.arange(num_frames) / 10.0)


def shares_of(
    step_px: int, *, is_depth: bool = False, **recording: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    stream = Stream.DEPTH if is_depth else Stream.RGB
    return speed_shares(
        {stream: ArraySource(moving(step_px, is_depth=is_depth))}, Recording(path=Path("a"), **recording)
    )


def test_shares_are_counted_in_squared_pixels() -> None:
    flow_THWC = np.array([[[[0.0, 0.0], [3.0, 0.0], [6.0, 8.0], [12.0, 16.0], [20.0, 20.0]]]])
    share_X = share_of_speeds(flow_THWC)
    assert share_X[0] == pytest.approx(0.4)  # 0 and 9
    assert share_X[10] == pytest.approx(0.2)  # 100
    assert share_X[-1] == pytest.approx(0.2)  # 400, which the last bin holds
    assert share_X.sum() == pytest.approx(0.8)  # 800 is beyond
    assert EDGES[10] == 100.0


@pytest.mark.parametrize("is_depth", [False, True])
def test_a_known_motion_lies_in_its_bin(is_depth: bool) -> None:
    # 7 pixels a frame: 49, in the fifth bin; at the edges nothing is known of what comes in.
    assert shares_of(7, is_depth=is_depth)[3:6].sum() > 0.6
    assert shares_of(0, is_depth=is_depth)[0] == 1.0


def test_only_the_span_is_looked_at() -> None:
    with pytest.raises(ClipError, match=r"a holds one frame: nothing moves"):
        shares_of(7, start_s=0.35, end_s=0.45)
    assert shares_of(7, start_s=0.35, end_s=0.65)[3:6].sum() > 0.6


def test_classes_are_measured_by_a_sample_of_their_clips(tmp_path: Path) -> None:
    opened: list[str] = []

    def open_sources(recording: Recording, stack: ExitStack) -> dict[Stream, FrameSource]:
        opened.append(recording.path.stem)
        if recording.path.stem == "broken":
            raise ClipError("cannot be read")
        return {Stream.RGB: ArraySource(moving(int(recording.path.stem.split("-")[0])))}

    names = [("0-a", 0), ("0-b", 0), ("0-c", 0), ("7-a", 1), ("broken", 2)]
    found = measure_speeds(
        [Recording(path=Path(name), label=label) for name, label in names],
        ("still", "moving", "lost", "empty"),
        open_sources=open_sources,
        clips_per_class=2,
    )
    assert opened == ["0-a", "0-c", "7-a", "broken"]
    assert list(found) == ["still", "moving"]
    assert found["still"][0] > found["moving"][0]
    lines = write_speeds(tmp_path / "speeds.csv", found).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "from_squared_px,to_squared_px,still,moving"
    assert lines[1].startswith("0,10,1,")
    assert len(lines) == len(EDGES)


def test_the_median_is_taken_over_classes() -> None:
    shares = {name: np.full(3, value) for name, value in (("a", 0.1), ("b", 0.2), ("c", 0.9))}
    median = median_of(shares, ["a", "b", "c", "missing"])
    assert median is not None
    np.testing.assert_allclose(median, 0.2)
    assert median_of(shares, ["missing"]) is None
