from __future__ import annotations

import threading

import av
import numpy as np
import pytest

from mudra.errors import VideoError
from mudra.types import DepthFormat
from mudra.video.pixel import (
    DepthConverter,
    _halve,
    build_depth_table,
    convert_rgb,
    quarter_turns,
    require_grey,
    scale_nearest,
)


def gradient(height: int, width: int) -> np.ndarray:
    """A smooth picture: every averaging of it gives nearly the same."""
    rows, columns = np.mgrid[0:height, 0:width]
    red, green = rows * 200 // height + 20, columns * 200 // width + 20
    return np.stack([red, green, np.full_like(red, 90)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("size", [(480, 640), (240, 320), (112, 112), (60, 80), (31, 47)])
def test_scaling_keeps_the_picture(size: tuple[int, int]) -> None:
    frame = av.VideoFrame.from_ndarray(gradient(480, 640), format="rgb24").reformat(format="yuv420p")
    np.testing.assert_allclose(convert_rgb(frame, size).astype(int), gradient(*size).astype(int), atol=7)


@pytest.mark.parametrize("width", [112, 113, 2])
@pytest.mark.parametrize("rotation", [0, 1])
def test_an_array_is_whole_its_own_and_may_be_written_to(
    width: int, rotation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines of some widths are padded, and the next frame must not be painted over the last one."""
    monkeypatch.setattr("mudra.video.pixel.quarter_turns", lambda rotation_deg: rotation)
    made = []
    for level in (40, 200):
        grey = np.full((60, 80, 3), level, dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format="yuv444p")
        made.append(convert_rgb(frame, (30, width)))
    for array, level in zip(made, (40, 200), strict=True):
        assert array.shape == (30, width, 3)
        assert array.flags.c_contiguous
        np.testing.assert_allclose(array.astype(int), level, atol=2)
        array[:] = 0


def test_shrinking_averages() -> None:
    board = (np.indices((480, 640)).sum(axis=0) % 2 * 255).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(board, format="gray").reformat(format="yuv420p")
    for size in ((240, 320), (112, 112), (48, 64)):
        small = convert_rgb(frame, size)
        assert abs(small.mean() - 127) < 4
        assert small.std() < 40


@pytest.mark.parametrize(("size", "factor"), [((200, 200), 1), ((120, 160), 2), ((112, 112), 2), ((50, 50), 4)])
def test_halving_stops_before_a_quarter(size: tuple[int, int], factor: int) -> None:
    frame = av.VideoFrame(640, 480, "yuv420p")
    halved = _halve(frame, *size)
    assert (halved.height, halved.width) == (480 // factor, 640 // factor)


def test_halving_keeps_range_and_matrix() -> None:
    frame = av.VideoFrame(640, 480, "yuv420p")
    frame.colorspace, frame.color_range = 1, 2
    halved = _halve(frame, 30, 40)
    assert (halved.colorspace, halved.color_range) == (1, 2)


def test_halving_leaves_alone_what_has_no_partner() -> None:
    assert _halve(av.VideoFrame(642, 480, "yuv420p"), 10, 10).width == 642
    assert _halve(av.VideoFrame(640, 480, "rgb24"), 10, 10).width == 640


def test_threads_do_not_share_what_they_convert_with() -> None:
    frame = av.VideoFrame.from_ndarray(gradient(96, 128), format="rgb24").reformat(format="yuv420p")
    wanted = {size: convert_rgb(frame, size) for size in ((40, 50), (24, 32))}
    failures: list[tuple[int, int]] = []

    def convert(size: tuple[int, int]) -> None:
        mine = frame.reformat(format="yuv420p", width=128)
        failures.extend(size for _ in range(50) if not np.array_equal(convert_rgb(mine, size), wanted[size]))

    threads = [threading.Thread(target=convert, args=(size,)) for size in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_depth_table_rounds_and_saturates() -> None:
    table = build_depth_table(DepthFormat(mm_per_level=2.6, missing_level=7), bits=16, is_limited=False)
    assert table[[1, 2, 7, 100]].tolist() == [3, 5, 0, 260]
    assert table[30000] == table[-1] == 65535


@pytest.mark.parametrize("bits", [8, 10])
def test_depth_table_of_limited_range(bits: int) -> None:
    unit = 2 ** (bits - 8)
    table = build_depth_table(DepthFormat(mm_per_level=1), bits=bits, is_limited=True)
    assert table[[0, 16 * unit, 235 * unit, 2**bits - 1]].tolist() == [0, 0, 2**bits - 1, 2**bits - 1]
    assert table[16 * unit + 1] == round((2**bits - 1) / (219 * unit))


def test_missing_level_is_counted_after_the_range_is_spread() -> None:
    table = build_depth_table(DepthFormat(missing_level=255), bits=8, is_limited=True)
    assert table[234] == 254
    assert table[235] == table[250] == 0


@pytest.mark.parametrize("name", ["gray10le", "gray16be", "yuv444p", "nv12", "yuyv422"])
def test_depth_of_further_formats(name: str) -> None:
    grey = np.full((16, 16, 3), 100, dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format=name)
    depth = DepthConverter(DepthFormat(), path="clip")(frame, None)
    levels = {"gray10le": 100 * 1023 / 255, "gray16be": 100 * 257}.get(name, 100)
    assert depth.shape == (16, 16, 1)
    np.testing.assert_allclose(depth, levels, atol=0.01 * levels)


def test_depth_is_turned_before_it_is_scaled() -> None:
    levels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    depth = DepthConverter(DepthFormat(mm_per_level=10), path="clip").from_levels(levels, (6, 4), turns=1)
    np.testing.assert_array_equal(depth[..., 0], np.rot90(levels).repeat(2, axis=0).repeat(2, axis=1) * 10)


def test_nearest_takes_the_pixel_under_the_centre() -> None:
    levels = np.arange(9, dtype=np.uint16).reshape(3, 3) * 7000
    assert scale_nearest(levels, (1, 1)).tolist() == [[28000]]
    np.testing.assert_array_equal(scale_nearest(levels, (9, 9))[1::3, 1::3], levels)


@pytest.mark.parametrize(("rotation_deg", "turns"), [(0, 0), (90, 1), (-90, 3), (180, 2), (-180, 2), (270, 3), (2, 0)])
def test_quarter_turns(rotation_deg: int, turns: int) -> None:
    assert quarter_turns(rotation_deg) == turns


def test_require_grey_refuses_colours() -> None:
    picture = np.full((2, 2, 3), 9, dtype=np.uint8)
    assert require_grey(picture, path="p").tolist() == [[9, 9], [9, 9]]
    picture[1, 1, 2] = 8
    with pytest.raises(VideoError, match="p: holds colours where depth was wanted"):
        require_grey(picture, path="p")
