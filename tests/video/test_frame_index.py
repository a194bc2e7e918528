from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from mudra.video.frame_index import FrameIndex, KeyFrame, _demuxed_index, _spread_repeats, _to_times, read_index
from tests.video.encode import KINDS, encode


def read(path: Path) -> tuple[FrameIndex, bool]:
    with av.open(str(path)) as container:
        return read_index(container, container.streams.video[0])


@pytest.mark.parametrize(("suffix", "codec", "pixel_format"), KINDS)
def test_the_table_and_the_packets_agree(tmp_path: Path, suffix: str, codec: str, pixel_format: str) -> None:
    path = encode(tmp_path / f"clip{suffix}", codec=codec, pixel_format=pixel_format)
    index, has_read_packets = read(path)
    with av.open(str(path)) as container:
        demuxed = _demuxed_index(container, container.streams.video[0])
    assert has_read_packets == (suffix in (".mkv", ".webm"))
    np.testing.assert_allclose(index.times_s, demuxed.times_s, atol=1e-9)
    assert (index.stamps is None) == (demuxed.stamps is None) == (suffix == ".avi" and codec == "libx264")
    assert list(index.stamps or []) == list(demuxed.stamps or [])
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for place in (0, 9, 10, 39):
            assert index.key_before(place, stream) == demuxed.key_before(place, stream)


def test_the_table_is_not_trusted_with_a_variable_rate(tmp_path: Path) -> None:
    index, has_read_packets = read(encode(tmp_path / "clip.mp4", num_frames=4, times_ms=[0, 40, 400, 500]))
    assert has_read_packets
    np.testing.assert_allclose(index.times_s, [0, 0.04, 0.4, 0.5], atol=1e-3)


def test_place_of_a_stamp() -> None:
    for stamps in (range(100, 130, 10), [100, 110, 120]):
        index = FrameIndex(np.arange(3.0), stamps)
        assert [index.place_of(stamp) for stamp in (100, 120, 115, 90, 130)] == [0, 2, None, None, None]
    assert FrameIndex(np.arange(3.0), None).place_of(100) is None


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_key_before_a_place(tmp_path: Path, suffix: str) -> None:
    path = encode(tmp_path / f"clip{suffix}", options={"g": "10", "bf": "2", "sc_threshold": "0"})
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        index, _ = read_index(container, stream)
        keys = [index.key_before(place, stream) for place in (0, 9, 10, 35)]
        assert FrameIndex(index.times_s, None, keys=index.keys).key_before(35, stream) is None
        assert FrameIndex(index.times_s, index.stamps, keys=[]).key_before(35, stream) is None
    assert index.stamps is not None
    assert keys == [KeyFrame(place, index.stamps[place]) for place in (0, 0, 10, 30)]


def test_missing_and_repeated_stamps_are_bridged(tmp_path: Path) -> None:
    with av.open(str(encode(tmp_path / "clip.mkv", num_frames=2))) as container:  # counts milliseconds, 10 fps
        stream = container.streams.video[0]
        assert _to_times([0, None, 200, 100], stream).tolist() == [0.0, 0.1, 0.1 + 0.05, 0.2]
        assert _to_times([None, None, None], stream).tolist() == [0.0, 0.1, 0.2]
        assert _to_times([500, 600, 600], stream).tolist() == pytest.approx([0.0, 0.1, 0.2])
        assert _to_times([], stream).tolist() == []


def test_repeats_share_the_time_until_the_next() -> None:
    times_s = _spread_repeats(np.array([0.0, 1.0, 1.0, 1.0, 2.5, 2.5]), period_s=0.5)
    assert times_s.tolist() == [0.0, 1.0, 1.5, 2.0, 2.5, 3.0]
