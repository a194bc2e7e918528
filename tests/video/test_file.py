from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mudra.errors import VideoError
from mudra.types import DepthFormat, Stream
from mudra.video import list_videos, open_video
from mudra.video.file import CONTAINERS
from tests.video.encode import KINDS, encode, encode_levels, indices_of, picture_with_corner, truncate

GROUPS_OF_TEN = {"g": "10", "bf": "2", "sc_threshold": "0"}


@pytest.mark.parametrize(("suffix", "codec", "pixel_format"), KINDS)
def test_every_container_gives_all_frames_in_order(tmp_path: Path, suffix: str, codec: str, pixel_format: str) -> None:
    path = encode(tmp_path / f"clip{suffix}", codec=codec, pixel_format=pixel_format)
    with open_video(path) as reader:
        frames = reader.read()
        iterated = [(frame.index, frame.time_s) for frame in reader]
        info = reader.info
    assert indices_of(frames.frames_THWC) == list(range(40))
    np.testing.assert_allclose(frames.times_s, np.arange(40) / 10, atol=1e-3)
    assert iterated == [(index, time_s) for index, time_s in enumerate(frames.times_s)]
    assert (info.width, info.height, info.rotation_deg, info.codec) == (
        64,
        48,
        0,
        codec.removeprefix("lib").replace("x264", "h264").removeprefix("vpx-"),
    )
    assert info.fps == pytest.approx(10)
    assert info.duration_s == pytest.approx(4.0)
    assert info.declared_frames == (0 if suffix in (".mkv", ".webm") else 40)


@pytest.mark.parametrize("written", [".mp4", ".avi", ".mkv", ".ts"])
def test_a_file_named_as_what_it_is_not_is_read_all_the_same(tmp_path: Path, written: str) -> None:
    path = encode(tmp_path / f"clip{written}", codec="mpeg4")
    for suffix in CONTAINERS:
        path = path.rename(path.with_suffix(suffix))
        with open_video(path) as reader:
            assert indices_of(reader.read().frames_THWC) == list(range(40))


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".MKV"])
def test_a_file_named_as_what_it_is_is_opened_as_that_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path, tried = encode(tmp_path / f"clip{suffix}", codec="mpeg4"), []
    monkeypatch.setattr("mudra.video.file._open", lambda path, name: tried.append(name) or av.open(path, format=name))
    open_video(path).close()
    assert tried == [CONTAINERS[suffix.lower()]]


@pytest.mark.parametrize(("suffix", "codec", "pixel_format"), KINDS)
def test_indices_in_any_order_and_repeated(tmp_path: Path, suffix: str, codec: str, pixel_format: str) -> None:
    options = GROUPS_OF_TEN if codec == "libx264" else {"g": "10"}
    path = encode(tmp_path / f"clip{suffix}", codec=codec, pixel_format=pixel_format, options=options)
    with open_video(path) as reader:
        for wanted in ([35, 2, 2, 39], [0], [12, 25], [11], [11], [38, 5], []):
            frames = reader.read(wanted)
            assert indices_of(frames.frames_THWC) == wanted
            np.testing.assert_array_equal(frames.times_s, reader.times_s[wanted])


def test_far_frames_are_reached_from_the_key_frame_before_them(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4", num_frames=40, options=GROUPS_OF_TEN)
    with open_video(path) as reader:
        begun: list[int] = []
        begin = reader._begin

        def recording(place: int) -> None:
            begun.append(place)
            begin(place)

        reader._begin = recording  # type: ignore[method-assign]
        assert indices_of(reader.read([32]).frames_THWC) == [32]
        assert begun == [30], "the frames before the key frame are not decoded"
        assert indices_of(reader.read([35, 38]).frames_THWC) == [35, 38]
        assert begun == [30], "frames ahead in the same group are decoded on, not sought"


def test_a_container_that_leads_astray_is_read_from_the_start(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mkv", options=GROUPS_OF_TEN)
    with open_video(path) as reader:
        keys = reader._ready_index().keys
        assert keys is not None
        keys[1] = keys[1]._replace(stamp=keys[3].stamp)  # the file says that frame 10 is where frame 30 is
        assert indices_of(reader.read([12, 13, 31]).frames_THWC) == [12, 13, 31]


def test_frames_are_scaled_and_not_cropped(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mkv", codec="ffv1", pixel_format="bgr0", pictures=[picture_with_corner(64, 96)])
    with open_video(path) as reader:
        small = reader.read(size=(16, 32)).frames_THWC[0]
    assert small.shape == (16, 32, 3)
    assert small[2, 2].tolist() == [255, 0, 0]
    assert small[12, 4].tolist() == [0, 0, 0]
    assert small[4, 28].tolist() == [0, 0, 0]


@pytest.mark.parametrize(("suffix", "codec", "pixel_format"), KINDS)
def test_red_is_red_and_white_is_white(tmp_path: Path, suffix: str, codec: str, pixel_format: str) -> None:
    pictures = [np.full((32, 32, 3), colour, dtype=np.uint8) for colour in ([255, 0, 0], [255, 255, 255], [0, 0, 0])]
    path = encode(tmp_path / f"clip{suffix}", codec=codec, pixel_format=pixel_format, pictures=pictures)
    with open_video(path) as reader:
        for size in (None, (8, 8), (40, 50)):
            means = reader.read(size=size).frames_THWC.reshape(3, -1, 3).mean(axis=1)
            np.testing.assert_allclose(means, [[255, 0, 0], [255, 255, 255], [0, 0, 0]], atol=6)


def test_variable_frame_rate(tmp_path: Path) -> None:
    times_ms = [0, 50, 200, 210, 1000, 1033]
    for suffix in (".mkv", ".mp4"):
        path = encode(tmp_path / f"clip{suffix}", num_frames=6, times_ms=times_ms, options={"bf": "2"})
        with open_video(path) as reader:
            frames = reader.read()
            np.testing.assert_allclose(reader.times_s, np.array(times_ms) / 1000, atol=1e-3)
        assert indices_of(frames.frames_THWC) == list(range(6))


def test_times_start_at_zero(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mkv", num_frames=3, times_ms=[700, 800, 900])
    with open_video(path) as reader:
        np.testing.assert_allclose(reader.times_s, [0.0, 0.1, 0.2], atol=1e-9)
        assert indices_of(reader.read([2, 0]).frames_THWC) == [2, 0]


@pytest.mark.parametrize(
    ("rotation_deg", "corner"), [(90, "lower left"), (-90, "upper right"), (180, "lower right"), (0, "upper left")]
)
def test_rotation_turns_pictures_upright(tmp_path: Path, rotation_deg: int, corner: str) -> None:
    path = encode(tmp_path / "clip.mp4", pictures=[picture_with_corner(48, 64)] * 2, rotation_deg=rotation_deg)
    is_turned = rotation_deg % 180 != 0
    with open_video(path) as reader:
        info = reader.info
        full, small = reader.read([0]).frames_THWC[0], reader.read([0], size=(32, 24)).frames_THWC[0]
    assert (info.height, info.width) == full.shape[:2] == ((64, 48) if is_turned else (48, 64))
    assert info.rotation_deg == rotation_deg % 360
    assert small.shape == (32, 24, 3)
    assert red_corner(full) == red_corner(small) == corner


def test_rotation_by_the_matrix_that_telephones_write(tmp_path: Path) -> None:
    """The matrix is set byte by byte: (x, y) goes to (-y, x), a quarter turn clockwise in picture coordinates."""
    path = encode(tmp_path / "clip.mp4", pictures=[picture_with_corner(48, 64)] * 2)
    data = bytearray(path.read_bytes())
    one, zero, minus_one, last = (value.to_bytes(4, "big") for value in (0x10000, 0, 0xFFFF0000, 0x40000000))
    header = data.index(b"tkhd")
    upright = one + zero * 3 + one + zero * 3 + last
    at = data.index(upright, header)
    data[at : at + 36] = zero + one + zero + minus_one + zero * 4 + last
    path.write_bytes(data)
    with open_video(path) as reader:
        assert reader.frame_size == (64, 48)
        assert red_corner(reader.read([0]).frames_THWC[0]) == "upper right"


@pytest.mark.parametrize("size", [(17, 33), (33, 17), (1, 1)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    path = encode(tmp_path / "clip.mkv", codec="ffv1", pixel_format="yuv420p", num_frames=3, size=size)
    with open_video(path) as reader:
        assert reader.frame_size == size
        assert reader.read().frames_THWC.shape == (3, *size, 3)
        assert indices_of(reader.read(size=(7, 5)).frames_THWC) == [0, 1, 2]


def test_one_frame(tmp_path: Path) -> None:
    for suffix in (".mp4", ".mkv", ".avi"):
        with open_video(encode(tmp_path / f"clip{suffix}", num_frames=1)) as reader:
            assert reader.times_s.tolist() == [0.0]
            assert indices_of(reader.read().frames_THWC) == [0]


@pytest.mark.parametrize("suffix", [".avi", ".mkv"])
def test_a_truncated_file_holds_the_frames_that_are_left(tmp_path: Path, suffix: str) -> None:
    codec, pixel_format = ("mjpeg", "yuvj420p") if suffix == ".avi" else ("ffv1", "bgr0")
    path = truncate(encode(tmp_path / f"clip{suffix}", codec=codec, pixel_format=pixel_format), 0.6)
    with open_video(path) as reader:
        num_frames = len(reader.times_s)
        assert 15 <= num_frames <= 30
        assert indices_of(reader.read([num_frames - 3, 1]).frames_THWC) == [num_frames - 3, 1]


def test_a_truncated_mp4_with_its_table_in_front(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    noise = np.random.default_rng(0).integers(0, 255, (40, 48, 64, 3), dtype=np.uint8)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for picture in noise:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")))
        container.mux(stream.encode())
    truncate(path, 0.5)
    with open_video(path) as reader:
        assert 10 <= len(reader.times_s) <= 30


def test_depth_levels_become_millimetres(tmp_path: Path) -> None:
    levels = [np.arange(32 * 32, dtype=np.uint8).reshape(32, 32)]
    path = encode_levels(tmp_path / "depth.mkv", levels, codec="ffv1", pixel_format="gray")
    with open_video(path, stream=Stream.DEPTH, depth=DepthFormat(mm_per_level=5, missing_level=255)) as reader:
        depth = reader.read().frames_THWC
    wanted = levels[0].astype(np.uint16) * 5
    wanted[levels[0] == 255] = 0
    assert depth.dtype == np.uint16
    np.testing.assert_array_equal(depth, wanted[None, ..., None])


def test_depth_without_a_description_is_the_levels(tmp_path: Path) -> None:
    levels = [np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 15]
    path = encode_levels(tmp_path / "depth.mkv", levels, codec="ffv1", pixel_format="gray16le")
    with open_video(path, stream=Stream.DEPTH) as reader:
        np.testing.assert_array_equal(reader.read().frames_THWC[0, ..., 0], levels[0])


@pytest.mark.parametrize(("codec", "pixel_format"), [("mpeg4", "yuv420p"), ("mjpeg", "yuvj420p")])
def test_depth_in_colour_codecs_is_the_grey_that_a_player_shows(tmp_path: Path, codec: str, pixel_format: str) -> None:
    levels = [np.full((32, 32), level, dtype=np.uint8) for level in (16, 60, 126, 200, 235)]
    path = encode_levels(tmp_path / "depth.avi", levels, codec=codec, pixel_format=pixel_format)
    with open_video(path, stream=Stream.DEPTH) as reader:
        depth = reader.read().frames_THWC[..., 0]
    with open_video(path) as reader:
        shown = reader.read().frames_THWC[..., 1]
    np.testing.assert_allclose(depth, shown, atol=1)
    is_limited = pixel_format == "yuv420p"
    np.testing.assert_allclose(depth[[0, -1], 16, 16], [0, 255] if is_limited else [16, 235], atol=2)


def test_depth_is_never_interpolated(tmp_path: Path) -> None:
    levels = np.zeros((40, 40), dtype=np.uint8)
    levels[:, 13:] = 200
    path = encode_levels(tmp_path / "depth.mkv", [levels], codec="ffv1", pixel_format="gray")
    with open_video(path, stream=Stream.DEPTH) as reader:
        for size in ((17, 23), (90, 91)):
            depth = reader.read(size=size).frames_THWC
            assert depth.shape == (1, *size, 1)
            assert set(np.unique(depth)) == {0, 200}


def test_grey_saved_as_colour_is_depth_and_colours_are_not(tmp_path: Path) -> None:
    grey = encode(tmp_path / "grey.mkv", codec="ffv1", pixel_format="bgr0", num_frames=2)
    with open_video(grey, stream=Stream.DEPTH) as reader:
        assert indices_of(reader.read().frames_THWC) == [0, 1]
    red = encode(tmp_path / "red.mkv", codec="ffv1", pixel_format="bgr0", pictures=[picture_with_corner(16, 16)])
    with open_video(red, stream=Stream.DEPTH) as reader, pytest.raises(VideoError, match="holds colours where depth"):
        reader.read()


def test_size_that_changes_on_the_way(tmp_path: Path) -> None:
    parts = [
        encode(tmp_path / f"{index}.mjpg", codec="mjpeg", pixel_format="yuvj420p", num_frames=2, size=size)
        for index, size in enumerate([(32, 32), (48, 64)])
    ]
    path = tmp_path / "both.mjpg"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    with open_video(path) as reader:
        with pytest.raises(VideoError, match=r"frame 2 is 64x48, those before it 32x32"):
            reader.read()
        assert reader.read(size=(16, 16)).frames_THWC.shape == (4, 16, 16, 3)


def test_one_decoding_thread_unless_told_otherwise(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4")
    with open_video(path) as reader, open_video(path, num_threads=2) as other:
        assert reader._video.codec_context.thread_count == 1
        assert other._video.codec_context.thread_count == 2
        np.testing.assert_array_equal(reader.read().frames_THWC, other.read().frames_THWC)


def test_iteration_holds_one_frame_and_may_be_interrupted(tmp_path: Path) -> None:
    with open_video(encode(tmp_path / "clip.mp4")) as reader:
        frames = iter(reader)
        assert [next(frames).index for _ in range(3)] == [0, 1, 2]
        assert indices_of(reader.read([20]).frames_THWC) == [20]
        assert indices_of(next(frames).to_array()[None]) == [3]


@pytest.mark.parametrize("index", [-1, 40])
def test_refuses_indices_outside(tmp_path: Path, index: int) -> None:
    with open_video(encode(tmp_path / "clip.mp4")) as reader, pytest.raises(VideoError, match=f"has no frame {index}"):
        reader.read([0, index])


def test_refuses_what_is_no_video(tmp_path: Path) -> None:
    text, empty = tmp_path / "text.mp4", tmp_path / "empty.mp4"
    text.write_text("these are words and no pictures\n" * 100)
    empty.touch()
    cut = truncate(encode(tmp_path / "cut.mp4"), 0.5)
    for path, reason in [
        (text, "is not a video that can be read"),
        (cut, "is not a video that can be read"),
        (empty, "is empty"),
        (tmp_path, "is a folder"),
        (tmp_path / "missing.mp4", "no such file"),
    ]:
        with pytest.raises(VideoError, match=reason) as caught:
            open_video(path)
        assert caught.value.path == str(path)


def test_refuses_sound_alone(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
        frame.rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(VideoError, match="holds no video stream"):
        open_video(path)


def test_refuses_flow_and_reading_after_closing(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4")
    with pytest.raises(VideoError, match="flow is computed"):
        open_video(path, stream=Stream.FLOW)
    reader = open_video(path)
    reader.close()
    reader.close()
    for action in (reader.read, lambda: list(reader), lambda: reader.times_s, lambda: reader.info):
        with pytest.raises(VideoError, match="is closed"):
            action()


def test_a_frame_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.avi", codec="mjpeg", pixel_format="yuvj420p")
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        position, length = packets[20].pos, packets[20].size
    data = bytearray(path.read_bytes())
    start = data.index(bytes(packets[20]), position)
    data[start : start + length] = bytes(length)
    path.write_bytes(data)
    with open_video(path) as reader, pytest.raises(VideoError, match=r"frame 2\d (of 40 )?cannot be decoded") as caught:
        reader.read()
    assert "mudra data check" in caught.value.hint


def red_corner(picture: np.ndarray) -> str:
    height, width = picture.shape[:2]
    corners = {
        "upper left": picture[2, 2],
        "upper right": picture[2, width - 3],
        "lower left": picture[height - 3, 2],
        "lower right": picture[height - 3, width - 3],
    }
    return max(corners, key=lambda name: int(corners[name][0]))


@pytest.mark.parametrize("side", [16, 200], ids=["few bytes", "many bytes"])
def test_a_picture_is_a_video_of_one_frame(tmp_path: Path, side: int) -> None:
    """FFmpeg reads small and large pictures by different ways, of which one cannot seek."""
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "00003.png"), noise[..., ::-1])
    with open_video(tmp_path / "00003.png") as reader:
        assert reader.times_s.tolist() == [0.0]
        np.testing.assert_array_equal(reader.read().frames_THWC, noise[None])
        np.testing.assert_array_equal(reader.read([0, 0]).frames_THWC, np.stack([noise] * 2))


@pytest.mark.real
def test_real_recordings_read_alike_in_every_way(shared_data: Path) -> None:
    files = [list_videos(shared_data / name)[0] for name in ("shrec2017", "isogd", "congd", "nvgesture")]
    for path in files:
        with av.open(str(path)) as container:
            bare = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        with open_video(path) as reader:
            assert len(reader.times_s) == len(bare)
            assert (np.diff(reader.times_s) > 0).all()
            wanted = [len(bare) - 1, 3, 17, 17, 0]
            frames = reader.read(wanted)
        np.testing.assert_array_equal(frames.frames_THWC, np.stack([bare[index] for index in wanted]))


@pytest.mark.real
def test_isogd_grey_levels_spread_over_the_whole_range(shared_data: Path) -> None:
    path = sorted((shared_data / "isogd" / "train" / "001").glob("K_*.avi"))[0]
    with open_video(path, stream=Stream.DEPTH) as reader, open_video(path) as colour:
        depth, rgb = reader.read([0, 9]).frames_THWC, colour.read([0, 9]).frames_THWC
    assert np.abs(depth[..., 0].astype(int) - rgb.mean(axis=-1)).mean() < 3.0
    assert depth.max() > 235
