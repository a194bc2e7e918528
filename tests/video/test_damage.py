from __future__ import annotations

import logging
import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mudra.video import find_damage, list_videos, open_video, write_depth
from mudra.video.damage import _captured_errors, _missing_numbers
from tests.video.encode import KINDS, encode, indices_of, truncate


def flip_bits(path: Path, *, num_flips: int = 12) -> Path:
    """Flip bits inside the pictures' own bytes, so that the container stays whole."""
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size > 60]
    for position, length in places[5 : 5 + num_flips]:
        data[position + length // 2] ^= 0x5A
    path.write_bytes(data)
    return path


def noisy(path: Path, **given: object) -> Path:
    pictures = list(np.random.default_rng(0).integers(0, 255, (40, 48, 64, 3), dtype=np.uint8))
    return encode(path, pictures=pictures, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(("suffix", "codec", "pixel_format"), KINDS)
def test_whole_files_are_whole(tmp_path: Path, suffix: str, codec: str, pixel_format: str) -> None:
    assert find_damage(encode(tmp_path / f"clip{suffix}", codec=codec, pixel_format=pixel_format)) is None


@pytest.mark.parametrize("times_ms", [[0, 50, 200, 210, 1000], [0], [0, 900], [500, 600, 700]])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_variable_rates_are_no_damage(tmp_path: Path, times_ms: list[int], suffix: str) -> None:
    path = encode(tmp_path / f"clip{suffix}", num_frames=len(times_ms), times_ms=times_ms)
    assert find_damage(path) is None


def test_frames_that_an_avi_leaves_out_are_no_damage(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.avi", codec="mpeg4", num_frames=4, times_ms=[0, 100, 500, 600])
    with open_video(path) as reader:
        np.testing.assert_allclose(reader.times_s, [0.0, 0.1, 0.5, 0.6])
        assert reader.info.declared_frames > 4
        assert indices_of(reader.read([3, 1]).frames_THWC) == [3, 1]
    assert find_damage(path) is None


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format", "signal"),
    [
        (".avi", "mpeg4", "yuv420p", "count"),
        (".avi", "mjpeg", "yuvj420p", "count"),
        (".mkv", "ffv1", "bgr0", "count"),
        (".mkv", "libx264", "yuv420p", "count"),
        (".webm", "libvpx-vp9", "yuv420p", "count"),
        (".mp4", "libx264", "yuv420p", "exception"),
    ],
)
def test_truncated_files(tmp_path: Path, suffix: str, codec: str, pixel_format: str, signal: str) -> None:
    path = truncate(noisy(tmp_path / f"clip{suffix}", codec=codec, pixel_format=pixel_format), 0.6)
    damage = find_damage(path)
    assert damage is not None
    assert signal in damage.signals
    assert damage.path == str(path)
    if signal == "count":
        assert 15 <= damage.decoded <= 32
        assert damage.declared == pytest.approx(40, abs=1)
        assert str(damage.decoded) in damage.reason


def test_one_frame_missing_at_the_end_of_a_matroska_file(tmp_path: Path) -> None:
    path = noisy(tmp_path / "clip.mkv", codec="ffv1", pixel_format="bgr0")
    with av.open(str(path)) as container:
        last = [packet for packet in container.demux(video=0) if packet.size][-1]
    path.write_bytes(path.read_bytes()[: last.pos])
    damage = find_damage(path)
    assert damage is not None
    assert (damage.decoded, damage.declared) == (39, 40)


def test_flipped_bits_show_in_the_log_alone(tmp_path: Path) -> None:
    path = flip_bits(noisy(tmp_path / "clip.mp4"))
    damage = find_damage(path)
    assert damage is not None
    assert damage.signals[-1] == "decoder log"
    assert "h264" in damage.reason
    assert damage.decoded == damage.declared == 40


def test_flipped_bits_in_depth_break_a_checksum(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 65536, (20, 48, 64, 1), dtype=np.uint16)
    write_depth(tmp_path / "depth.mkv", noise, fps=10)
    assert find_damage(tmp_path / "depth.mkv") is None
    damage = find_damage(flip_bits(tmp_path / "depth.mkv", num_flips=1))
    assert damage is not None
    assert "decoder log" in damage.signals


def test_the_same_damage_twice_is_found_twice(tmp_path: Path) -> None:
    path = flip_bits(noisy(tmp_path / "clip.mp4"), num_flips=1)
    first, second = find_damage(path), find_damage(path)
    assert first is not None
    assert first == second


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    text, empty = tmp_path / "text.mp4", tmp_path / "empty.avi"
    text.write_text("these are words and no pictures\n" * 100)
    empty.touch()
    for path, reason in [(text, "not a video"), (empty, "is empty"), (tmp_path / "gone.mp4", "no such file")]:
        damage = find_damage(path)
        assert damage is not None
        assert damage.signals[0] == "exception"
        assert reason in damage.reason
        assert damage.decoded == 0


def test_a_frame_that_cannot_be_decoded(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.avi", codec="mjpeg", pixel_format="yuvj420p")
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][20]
    data = bytearray(path.read_bytes())
    at = data.index(bytes(packet), packet.pos)
    data[at : at + packet.size] = bytes(packet.size)
    path.write_bytes(data)
    damage = find_damage(path)
    assert damage is not None
    assert damage.signals[:2] == ("exception", "count")
    assert "decoding fails 1 times, first after 20 frames" in damage.reason
    assert (damage.decoded, damage.declared) == (39, 40)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
        frame.rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    damage = find_damage(path)
    assert damage is not None
    assert damage.reason == "holds no video stream"


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    for number in range(1, 9):
        cv2.imwrite(str(tmp_path / f"{number:05d}.{'png' if number % 2 else 'jpg'}"), picture)
    assert find_damage(tmp_path) is None
    truncate(tmp_path / "00003.png", 0.5)
    truncate(tmp_path / "00006.jpg", 0.5)
    damage = find_damage(tmp_path)
    assert damage is not None
    assert "00003.png" in damage.reason
    assert "00006.jpg" in damage.reason
    assert (damage.decoded, damage.declared) == (6, 8)


def test_a_gap_between_pictures(tmp_path: Path) -> None:
    for number in (1, 2, 3, 6, 7):
        cv2.imwrite(str(tmp_path / f"{number:05d}.png"), np.zeros((8, 8, 3), dtype=np.uint8))
    damage = find_damage(tmp_path)
    assert damage is not None
    assert damage.signals == ("count",)
    assert "2 numbers are missing between the pictures: 4, 5" in damage.reason
    assert (damage.decoded, damage.declared) == (5, 7)


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    damage = find_damage(tmp_path)
    assert damage is not None
    assert damage.reason == "holds no pictures"


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [([1, 2, 3, 5], [4]), ([0, 2, 4, 8], [6]), ([2, 4, 6], []), ([7], []), ([1, 9], []), ([3, 1, 2], [])],
)
def test_missing_numbers(numbers: list[int], missing: list[int]) -> None:
    assert _missing_numbers(sorted(Path(f"frame_{number:03d}.jpg") for number in numbers)) == missing
    assert _missing_numbers([Path("first.jpg"), *(Path(f"{number}.jpg") for number in numbers)]) == []


def test_settings_of_the_log_are_restored_and_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = flip_bits(noisy(tmp_path / "clip.mp4"))
    before = (av.logging.get_level(), av.logging.get_skip_repeated())
    with caplog.at_level(logging.DEBUG):
        assert find_damage(path) is not None
    assert (av.logging.get_level(), av.logging.get_skip_repeated()) == before
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_threads_do_not_hear_each_other(tmp_path: Path) -> None:
    bad, good = flip_bits(noisy(tmp_path / "bad.mp4")), noisy(tmp_path / "good.mp4")
    found: dict[Path, list[bool]] = {bad: [], good: []}

    def check(path: Path) -> None:
        found[path].extend(find_damage(path) is not None for _ in range(8))

    threads = [threading.Thread(target=check, args=(path,)) for path in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {bad: [True] * 8, good: [False] * 8}
    assert av.logging.get_level() is None


def test_the_level_is_restored_when_the_last_capture_ends() -> None:
    with _captured_errors():
        with _captured_errors():
            assert av.logging.get_level() == av.logging.ERROR
        assert av.logging.get_level() == av.logging.ERROR
    assert av.logging.get_level() is None


@pytest.mark.real
def test_real_recordings_are_whole(shared_data: Path) -> None:
    for name in ("isogd", "congd", "nvgesture", "fir", "shrec2017"):
        for path in list_videos(shared_data / name)[:6]:
            assert find_damage(path) is None
