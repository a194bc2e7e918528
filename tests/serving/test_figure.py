import cv2
import numpy as np
import pytest

from mudra.errors import ClipError
from mudra.serving.figure import (
    MISSING_RGB,
    GridRow,
    draw_frames,
    encode_picture,
    frame_sheet,
    image_grid,
    write_png,
)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def decode(data: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def plain_flow(x_px: float, y_px: float) -> np.ndarray:
    return np.full((1, 4, 4, 2), (x_px, y_px), np.float32)


class TestDrawFrames:
    def test_colour_stays_as_it_is(self):
        frames_THWC = noise(2, 5, 6, 3)
        assert np.array_equal(draw_frames(frames_THWC), frames_THWC)

    def test_near_is_brighter_and_missing_is_no_grey(self):
        depth_THWC = np.array([[[[500], [1000], [2000], [0]]]], np.uint16)
        near, middle, far, missing = draw_frames(depth_THWC)[0, 0].astype(int)
        for grey in (near, middle, far):
            assert grey[0] == grey[1] == grey[2]
        assert near[0] == 255
        assert near[0] > middle[0] > far[0] >= 40
        assert tuple(missing) == MISSING_RGB

    def test_missing_depth_does_not_use_up_the_greys(self):
        depth_THWC = np.array([[[[2000], [2010], [0], [0]]]], np.uint16)
        near, far = draw_frames(depth_THWC)[0, 0, :2, 0].astype(int)
        assert near - far > 200

    def test_stray_pixels_do_not_use_up_the_greys(self):
        depth_THWC = np.linspace(800, 1000, 1000).astype(np.uint16).reshape(1, 20, 50, 1)
        depth_THWC[0, 0, 0], depth_THWC[0, 0, 1] = 60_000, 1
        picture_HW = draw_frames(depth_THWC)[0, ..., 0].astype(int)
        assert picture_HW[1, 0] - picture_HW[-1, -1] > 180

    def test_depth_of_a_clip_is_scaled_together(self):
        depth_THWC = np.array([[[[1000], [1000]]], [[[1500], [2000]]]], np.uint16)
        pictures = draw_frames(depth_THWC)[..., 0]
        assert pictures[0, 0, 0] == 255
        assert pictures[1, 0, 0] < 255

    def test_nothing_measured_is_all_missing(self):
        assert (draw_frames(np.zeros((1, 3, 3, 1), np.uint16)) == MISSING_RGB).all()

    def test_flat_depth_is_drawn(self):
        assert draw_frames(np.full((1, 3, 3, 1), 900, np.uint16)).shape == (1, 3, 3, 3)

    @pytest.mark.parametrize(
        ("x_px", "y_px", "rgb"),
        [(3, 0, (255, 0, 0)), (-3, 0, (0, 255, 255)), (0, 3, (128, 255, 0)), (0, -3, (128, 0, 255))],
    )
    def test_hue_is_the_direction_of_motion(self, x_px, y_px, rgb):
        assert draw_frames(plain_flow(x_px, y_px))[0, 0, 0].astype(int) == pytest.approx(rgb, abs=3)

    def test_brightness_is_speed(self):
        flow_THWC = np.concatenate([plain_flow(4, 0), plain_flow(2, 0), plain_flow(0, 0)])
        fast, slow, still = draw_frames(flow_THWC)[:, 0, 0].max(axis=-1).astype(int)
        assert (fast, still) == (255, 0)
        assert slow == pytest.approx(128, abs=2)

    @pytest.mark.parametrize(
        "frames_THWC",
        [
            np.zeros((2, 4, 4), np.uint8),
            np.zeros((0, 4, 4, 3), np.uint8),
            np.zeros((1, 4, 4, 1), np.uint8),
            np.zeros((1, 4, 4, 3), np.float32),
            np.zeros((1, 4, 4, 3), np.uint16),
        ],
    )
    def test_refuses_other_kinds(self, frames_THWC):
        with pytest.raises(ClipError, match=r"cannot be drawn\n.*wanted \(T, H, W, C\)"):
            draw_frames(frames_THWC)

    def test_refuses_flow_without_direction(self):
        with pytest.raises(ClipError, match="nan or infinity"):
            draw_frames(plain_flow(np.nan, 0))


class TestFrameSheet:
    def test_frames_lie_row_by_row(self):
        frames_THWC = noise(5, 80, 100, 3)
        sheet_HWC = frame_sheet(frames_THWC, columns=3)
        assert sheet_HWC.shape == (162, 304, 3)
        assert np.array_equal(sheet_HWC[:80, 204:], frames_THWC[2])
        assert np.array_equal(sheet_HWC[82:, 102:202], frames_THWC[4])
        assert (sheet_HWC[82:, 204:] == 255).all()

    def test_few_frames_make_a_narrow_sheet(self):
        assert frame_sheet(noise(2, 80, 100, 3), columns=8).shape == (80, 202, 3)

    def test_small_frames_become_squares_of_pixels(self):
        frames_THWC = noise(1, 20, 30, 3)
        sheet_HWC = frame_sheet(frames_THWC, columns=1)
        assert sheet_HWC.shape == (60, 90, 3)
        assert np.array_equal(sheet_HWC[::3, ::3], frames_THWC[0])
        assert np.array_equal(sheet_HWC[2::3, 1::3], frames_THWC[0])

    def test_times_are_printed_under_each_frame(self):
        frames_THWC = np.zeros((2, 80, 100, 3), np.uint8)
        sheet_HWC = frame_sheet(frames_THWC, columns=2, times_s=[0.0, 1.5])
        assert sheet_HWC.shape == (96, 202, 3)
        first, second = sheet_HWC[80:, :100], sheet_HWC[80:, 102:]
        assert first.min() < 128
        assert second.min() < 128
        assert not np.array_equal(first, second)
        # The text ends before the tile does.
        assert (first[:, -4:] == 255).all()

    def test_refuses_no_columns(self):
        with pytest.raises(ClipError, match="0 columns"):
            frame_sheet(noise(1, 4, 4, 3), columns=0)

    def test_refuses_other_number_of_times(self):
        with pytest.raises(ClipError, match="1 times for 2 frames"):
            frame_sheet(noise(2, 4, 4, 3), columns=1, times_s=[0.0])

    def test_refuses_what_cannot_be_drawn(self):
        with pytest.raises(ClipError, match="cannot be drawn"):
            frame_sheet(np.zeros((1, 4, 4, 4), np.uint8), columns=1)


class TestImageGrid:
    def test_pictures_stand_under_their_captions(self):
        frames = list(noise(3, 96, 120, 3))
        sheet_HWC = image_grid([GridRow("grab", frames[:1]), GridRow("pinch", frames[1:])], height_px=96)
        assert sheet_HWC.shape == (2 * 124, 2 * 122, 3)
        assert np.array_equal(sheet_HWC[26:122, :120], frames[0])
        assert np.array_equal(sheet_HWC[150:246, 122:242], frames[2])
        assert sheet_HWC[:26].min() < 128
        assert sheet_HWC[124:150].min() < 128
        assert (sheet_HWC[26:122, 122:] == 255).all()

    def test_sizes_and_streams_may_differ(self):
        flow_HWC = np.ones((48, 24, 2), np.float32)
        sheet_HWC = image_grid([GridRow("mixed", [noise(48, 64, 3), flow_HWC]), GridRow("none", [])], height_px=48)
        assert sheet_HWC.shape == (2 * 76, 64 + 2 + 24 + 2, 3)

    def test_depth_of_a_row_is_scaled_together(self):
        near, far = np.full((96, 96, 1), 1000, np.uint16), np.full((96, 96, 1), 3000, np.uint16)
        sheet_HWC = image_grid([GridRow("depth", [near, far])], height_px=96)
        assert sheet_HWC[60, 40, 0] == 255
        assert sheet_HWC[60, 140, 0] == 40

    def test_long_captions_widen_the_sheet(self):
        assert image_grid([GridRow("x" * 100, [noise(10, 10, 3)])]).shape[1] == 800

    def test_any_caption_is_drawn(self):
        assert image_grid([GridRow("$\\frac$ 手", [noise(10, 10, 3)])])[:26].min() < 128

    def test_refuses_a_grid_without_pictures(self):
        for rows in ([], [GridRow("grab", [])]):
            with pytest.raises(ClipError, match="without pictures"):
                image_grid(rows)

    def test_refuses_what_cannot_be_drawn(self):
        with pytest.raises(ClipError, match="cannot be drawn"):
            image_grid([GridRow("grab", [np.zeros((4, 4), np.uint8)])])


def test_png_keeps_every_pixel(tmp_path):
    picture_HWC = noise(20, 30, 3)
    write_png(tmp_path / "sheet.png", picture_HWC)
    assert np.array_equal(decode((tmp_path / "sheet.png").read_bytes()), picture_HWC)


def test_jpeg_is_close_and_small():
    y, x = np.mgrid[:64, :64]
    picture_HWC = np.stack([2 * x, 3 * y, x + y], axis=-1).astype(np.uint8)
    jpeg = encode_picture(picture_HWC, suffix=".jpg")
    assert jpeg[:3] == b"\xff\xd8\xff"
    assert np.abs(decode(jpeg).astype(int) - picture_HWC).mean() < 4
