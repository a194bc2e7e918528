"""ClipMaker: clips of every stream, aligned, whatever chance decides."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from mudra.clips import (
    ArraySource,
    Augmentation,
    ClipMaker,
    ClipSpec,
    DenseSampling,
    DepthTarget,
    RgbChannels,
    SegmentSampling,
    UniformSampling,
    View,
)
from mudra.clips.channels import RelativeDepthChannels
from mudra.clips.maker import frames_in_span
from mudra.errors import ClipError
from mudra.types import Frames, Stream
from tests.clips.pictures import centre_of, in_colour, in_depth, moved_texture, square

RAW = RgbChannels(mean=(0.0, 0.0, 0.0), divisor=(1.0, 1.0, 1.0))
MOVES = Augmentation(rotation_deg=30.0, scale=(0.8, 1.2), shift_fraction=0.1, mirror_probability=0.5)


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_clip_has_all_streams_side_by_side() -> None:
    grey = moved_texture(12, dx=2, dy=0, size=(48, 64))
    sources = {Stream.RGB: in_colour(grey), Stream.DEPTH: in_depth(np.full((12, 48, 64), 900))}
    spec = ClipSpec(streams=(Stream.FLOW, Stream.RGB, Stream.DEPTH), num_frames=6, size=(24, 32), rgb=RAW)
    clip = ClipMaker(spec).read_clip(sources)
    assert clip.clip_TCHW.shape == (6, 7, 24, 32)
    assert clip.clip_TCHW.dtype == torch.float32
    assert not clip.mirrored
    assert clip.times_s.tolist() == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    colour = clip.clip_TCHW[:, 2:5]
    assert torch.equal(colour[:, 0], colour[:, 2])
    assert 60 < colour.mean() < 200
    assert (clip.clip_TCHW[:, 5] == 0).all()  # a flat surface is its own reference
    assert (clip.clip_TCHW[:, 6] == 1).all()


def test_the_square_crop_is_the_largest_window_from_the_middle_in_tests() -> None:
    wide = np.zeros((4, 32, 64), dtype=np.int64) + np.arange(64)
    clip = ClipMaker(ClipSpec(num_frames=4, size=(32, 32), rgb=RAW)).read_clip(
        {Stream.RGB: in_colour(wide.astype(np.uint8))}
    )
    assert clip.clip_TCHW[0, 0, 0].tolist() == list(range(16, 48))


def test_training_crops_reach_from_end_to_end_alike_in_all_frames() -> None:
    wide = (np.zeros((4, 32, 64), dtype=np.int64) + np.arange(64)).astype(np.uint8)
    maker = ClipMaker(ClipSpec(num_frames=4, size=(32, 32), rgb=RAW, augmentation=Augmentation(mirror_probability=0)))
    lefts = set()
    for seed in range(200):
        rows = maker.read_clip({Stream.RGB: in_colour(wide)}, generator=draw(seed)).clip_TCHW[:, 0, 0]
        assert (rows == rows[0]).all()
        lefts.add(int(rows[0, 0]))
    assert min(lefts) <= 1
    assert max(lefts) >= 31
    assert len(lefts) > 25


def test_three_crops_are_the_middle_and_both_ends() -> None:
    wide = (np.zeros((4, 32, 64), dtype=np.int64) + np.arange(64)).astype(np.uint8)
    maker = ClipMaker(ClipSpec(num_frames=4, size=(32, 32), rgb=RAW, num_test_crops=3))
    window = maker.window({Stream.RGB: in_colour(wide)})
    firsts = [int(maker.clip(window, view=View(0, crop)).clip_TCHW[0, 0, 0, 0]) for crop in range(3)]
    assert firsts == [16, 0, 32]


def test_stretching_keeps_the_whole_frame() -> None:
    wide = (np.zeros((4, 32, 64), dtype=np.int64) + 2 * np.arange(64)).astype(np.uint8)
    clip = ClipMaker(ClipSpec(num_frames=4, size=(32, 32), rgb=RAW, crop="stretch")).read_clip(
        {Stream.RGB: in_colour(wide)}
    )
    assert clip.clip_TCHW[0, 0, 0].tolist() == pytest.approx(np.arange(1, 128, 4).tolist(), abs=1)


def test_the_span_is_all_that_is_looked_at() -> None:
    levels = (np.zeros((20, 16, 16), dtype=np.int64) + np.arange(20)[:, None, None]).astype(np.uint8)
    maker = ClipMaker(ClipSpec(num_frames=4, size=(16, 16), rgb=RAW))
    clip = maker.read_clip({Stream.RGB: in_colour(levels)}, span_s=(0.8, 1.2))
    assert clip.clip_TCHW[:, 0, 0, 0].tolist() == [8, 9, 10, 11]
    assert maker.window({Stream.RGB: in_colour(levels)}, span_s=(None, 0.3)).times_s.tolist() == [0.0, 0.1, 0.2]
    with pytest.raises(ClipError, match=r"no frame between 5.0 s and None s; the recording's last frame is at 1.900 s"):
        maker.read_clip({Stream.RGB: in_colour(levels)}, span_s=(5.0, None))


@pytest.mark.parametrize("region", ["frame", "motion"])
@pytest.mark.parametrize(
    "streams", [(Stream.RGB,), (Stream.DEPTH,), (Stream.RGB, Stream.FLOW), (Stream.DEPTH, Stream.FLOW)]
)
def test_a_kept_window_gives_the_clip_that_reading_gives(region: str, streams: tuple[Stream, ...]) -> None:
    grey = moved_texture(20, dx=2, dy=1, size=(40, 48))
    depth = square(20, size=(40, 48), tops=[10] * 20, lefts=list(range(5, 25)), side=12, inside=600, outside=1100)
    sources = {Stream.RGB: in_colour(grey), Stream.DEPTH: in_depth(depth)}
    spec = ClipSpec.from_mapping(
        {"streams": streams, "num_frames": 5, "size": (24, 24), "region": region, "augmentation": MOVES.model_dump()}
    )
    maker = ClipMaker(spec, may_mirror=True)
    window = maker.window(sources)
    for seed in (None, 0, 1, 2):
        read = maker.read_clip(sources, generator=None if seed is None else draw(seed))
        kept = maker.clip(window, generator=None if seed is None else draw(seed))
        assert torch.equal(read.clip_TCHW, kept.clip_TCHW)
        assert read.mirrored == kept.mirrored


def test_making_a_clip_leaves_the_window_as_it_was() -> None:
    sources = {Stream.RGB: in_colour(moved_texture(8, dx=2, dy=0)), Stream.DEPTH: in_depth(np.full((8, 64, 80), 800))}
    maker = ClipMaker(ClipSpec(streams=(Stream.RGB, Stream.DEPTH, Stream.FLOW), size=(32, 32), augmentation=MOVES))
    window = maker.window(sources)
    before = {stream: x.clone() for stream, x in window.streams.items()}
    for seed in range(5):
        maker.clip(window, generator=draw(seed))
    assert all(torch.equal(before[stream], x) for stream, x in window.streams.items())


# One draw for all streams


@pytest.mark.parametrize(("region", "crop"), [("frame", "square"), ("frame", "stretch"), ("motion", "square")])
@pytest.mark.parametrize(
    "depth_size", [(96, 128), (48, 64), (106, 128), (128, 96)], ids=["same size", "half size", "kinect 2", "upright"]
)
def test_colour_and_depth_of_one_scene_stay_on_top_of_each_other(
    region: str, crop: str, depth_size: tuple[int, int]
) -> None:
    """A marker in both streams must be found at one place in both, however the clip was turned, cut and mirrored."""
    tops, lefts = [30, 34, 38, 42, 46, 50], [60, 56, 52, 48, 44, 40]
    marks = square(6, size=(96, 128), tops=tops, lefts=lefts, side=16, inside=1, outside=0)
    colour = in_colour((marks * 255).astype(np.uint8))
    seen = [cv2.resize(m.astype(np.uint8), depth_size[::-1], interpolation=cv2.INTER_NEAREST) for m in marks]
    depth = in_depth(1400 - 300 * np.stack(seen).astype(np.int64))
    spec = ClipSpec(
        streams=(Stream.RGB, Stream.DEPTH),
        num_frames=6,
        size=(48, 48),
        region=region,  # type: ignore[arg-type]
        crop=crop,  # type: ignore[arg-type]
        rgb=RAW,
        depth=RelativeDepthChannels(scale_mm=300.0),
        augmentation=MOVES,
    )
    maker = ClipMaker(spec, may_mirror=True)
    mirrored = set()
    # Depth is picked, never blended: at an odd ratio of sizes, picking may be off by a pixel of the marker's edge.
    tolerance = 1.0 if 96 % depth_size[0] == 0 else 2.0
    for seed in [None, *range(12)]:
        clip = maker.read_clip(
            {Stream.RGB: colour, Stream.DEPTH: depth}, generator=None if seed is None else draw(seed)
        )
        mirrored.add(clip.mirrored)
        for frame in clip.clip_TCHW:
            in_rgb, near = frame[0].clamp_min(0), (-frame[3]).clamp_min(0)
            assert in_rgb.sum() > 0
            assert centre_of(near.numpy()) == pytest.approx(centre_of(in_rgb.numpy()), abs=tolerance)
    assert mirrored == {True, False}


STRONG = MOVES.model_copy(update={"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2})


@pytest.mark.parametrize("crop", ["square", "stretch", "corners", "stretched_corners"])
@pytest.mark.parametrize("size", [(48, 48), (48, 60)])
def test_depth_to_learn_is_the_colours_own_picture_where_both_are_the_same(crop: str, size: tuple[int, int]) -> None:
    """Depth is a copy of the colour levels: whatever chance does to the place, they stay the same numbers."""
    grey = np.maximum(moved_texture(9, dx=2, dy=1, size=(48, 64)), 1)  # level 0 would not be measured
    if crop.startswith("stretch"):
        grey = grey[:, :, : size[1]]  # nothing is scaled while it is read, where colour is averaged and depth picked
    sources = {Stream.RGB: in_colour(grey), Stream.DEPTH: in_depth(grey)}
    spec = ClipSpec.from_mapping(
        {
            "num_frames": 5,
            "size": size,
            "crop": crop,
            "rgb": RAW.model_dump(),
            "augmentation": MOVES.model_dump(),
            "target": {"far_mm": 255.0},
        }
    )
    maker = ClipMaker(spec, may_mirror=True)
    places = set()
    for seed in [None, *range(20)]:
        clip = maker.read_clip(sources, generator=None if seed is None else draw(seed))
        assert clip.clip_TCHW.shape == (5, 3, *size)  # the network sees colour alone
        assert clip.target is not None
        inside = clip.target.measured_THW > 0.05
        assert inside.float().mean() > 0.4
        # Colour is blended with black over the edge, depth with nothing: by as much as was not measured.
        blended, levels = clip.target.depth_THW * clip.target.measured_THW, clip.clip_TCHW[:, 0] / 255.0
        assert torch.allclose(blended[inside], levels[inside], atol=1e-5)
        places.add(float(clip.target.depth_THW.sum()))
    assert len(places) == 21


def test_colours_change_and_depth_to_learn_does_not() -> None:
    sources = {Stream.RGB: in_colour(moved_texture(6, dx=1, dy=0)), Stream.DEPTH: in_depth(np.full((6, 64, 80), 700))}
    plain = ClipSpec(num_frames=4, size=(64, 64), rgb=RAW, augmentation=MOVES, target=DepthTarget(far_mm=1000.0))
    clips = [
        ClipMaker(plain.model_copy(update={"augmentation": chance})).read_clip(sources, generator=draw(3))
        for chance in (MOVES, STRONG, STRONG.model_copy(update={"depth_offset_mm": 50.0, "depth_stretch": (1.5, 2.0)}))
    ]
    assert not torch.equal(clips[0].clip_TCHW, clips[1].clip_TCHW)
    first = clips[0].target
    assert first is not None
    assert first.depth_THW.max() == pytest.approx(0.7, abs=1e-3)
    for clip in clips[1:]:
        assert clip.target is not None
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(first, clip.target, strict=True))


@pytest.mark.parametrize("region", ["frame", "motion"])
@pytest.mark.parametrize("streams", [(Stream.RGB,), (Stream.RGB, Stream.DEPTH), (Stream.FLOW,)])
def test_a_kept_window_gives_the_depth_that_reading_gives(region: str, streams: tuple[Stream, ...]) -> None:
    depth = square(20, size=(40, 48), tops=[10] * 20, lefts=list(range(5, 25)), side=12, inside=600, outside=1100)
    sources = {Stream.RGB: in_colour(moved_texture(20, dx=2, dy=1, size=(40, 48))), Stream.DEPTH: in_depth(depth)}
    changes = {"num_frames": 5, "size": (24, 24), "region": region, "augmentation": MOVES.model_dump(), "target": {}}
    maker = ClipMaker(ClipSpec.from_mapping({"streams": streams, **changes}))
    window = maker.window(sources)
    without = ClipMaker(maker.spec.model_copy(update={"target": None}))
    for seed in (None, 0, 1):
        read = maker.read_clip(sources, generator=None if seed is None else draw(seed))
        kept = maker.clip(window, generator=None if seed is None else draw(seed))
        assert read.target is not None
        assert kept.target is not None
        assert torch.equal(read.target.depth_THW, kept.target.depth_THW)
        assert read.target.depth_THW.std() > 0.01
        # What the network sees is the same as without anything to learn.
        seen = without.read_clip(sources, generator=None if seed is None else draw(seed))
        assert torch.equal(seen.clip_TCHW, read.clip_TCHW)
        assert seen.target is None


@pytest.mark.parametrize("missing", ["left_out", "zero"])
def test_of_8_bit_depth_the_background_is_learned_on_request(missing: str) -> None:
    """A near hand on the left of an empty picture, whose third frame is lost; crops may miss the hand."""
    depth = square(4, size=(32, 64), tops=[8] * 4, lefts=[2] * 4, side=16, inside=3000, outside=0)
    depth[2] = 0
    sources = {Stream.RGB: in_colour(moved_texture(4, dx=1, dy=0, size=(32, 64))), Stream.DEPTH: in_depth(depth)}
    chance = {"crop": "corners", "crop_scales": [1.0, 0.5], "augmentation": {"mirror_probability": 0.0}}
    spec = ClipSpec.from_mapping({"num_frames": 4, "size": (32, 32), "target": {"missing": missing}, **chance})
    counted, bright = set(), set()
    for seed in range(20):
        target = ClipMaker(spec).read_clip(sources, generator=draw(seed)).target
        assert target is not None
        counted.add(tuple(target.measured_THW.mean(dim=(1, 2)).gt(0.999).tolist()))
        bright.add(round(float(target.depth_THW[0].mean()), 3))
        assert not target.measured_THW[2].any()
    assert min(bright) == 0.0 < max(bright)  # some see the hand, some do not
    assert counted == ({(True, True, False, True)} if missing == "zero" else {(False,) * 4})


@pytest.mark.parametrize("missing", ["left_out", "zero"])
def test_a_recording_without_depth_has_nothing_measured(missing: str) -> None:
    target = DepthTarget.from_mapping({"missing": missing})
    maker = ClipMaker(ClipSpec(num_frames=4, size=(32, 40), target=target))
    sources = {Stream.RGB: in_colour(moved_texture(6, dx=1, dy=0))}
    for clip in (maker.read_clip(sources, generator=draw(0)), maker.clip(maker.window(sources))):
        assert clip.target is not None
        assert clip.target.depth_THW.shape == (4, 32, 40)
        assert not clip.target.measured_THW.any()


@pytest.mark.parametrize(("crop", "widest"), [("corners", 32), ("stretched_corners", 64)])
def test_corner_crops_are_drawn_in_training_and_tests_take_the_middle(crop: str, widest: int) -> None:
    """Levels tell the column: of frames twice as wide as high, the largest crop shows half of them, or all squeezed."""
    wide = (np.zeros((4, 32, 64), dtype=np.int64) + 3 * np.arange(64)).astype(np.uint8)
    spec = ClipSpec.from_mapping(
        {
            "num_frames": 4,
            "size": (32, 32),
            "rgb": RAW.model_dump(),
            "crop": crop,
            "augmentation": {"mirror_probability": 0.0},
        }
    )
    maker, sources = ClipMaker(spec), {Stream.RGB: in_colour(wide)}
    test = maker.read_clip(sources).clip_TCHW
    plain = ClipMaker(spec.for_tests()).read_clip(sources).clip_TCHW
    assert torch.equal(test, plain)
    spans = []
    for seed in range(150):
        rows = maker.read_clip(sources, generator=draw(seed)).clip_TCHW[:, 0, 16] / 3.0
        assert torch.equal(rows[0], rows[3])
        spans.append((float(rows[0, 0]), float(rows[0, -1] - rows[0, 0]) * 32 / 31))
    shown = [span for _, span in spans]
    assert max(shown) == pytest.approx(widest, abs=2)
    assert min(shown) == pytest.approx(0.66 * widest, abs=2)
    assert min(left for left, _ in spans) < 2


def test_random_test_clips_are_drawn_as_in_training_from_seeds_of_their_own() -> None:
    levels = (np.zeros((200, 16, 16), dtype=np.int64) + np.arange(200)[:, None, None]).astype(np.uint8)
    spec = ClipSpec(num_frames=4, size=(16, 16), rgb=RAW, sampling=SegmentSampling(), num_test_clips=10, max_frames=200)
    sources = {Stream.RGB: in_colour(levels)}

    def frames_of(test_clips: str, *, number: int = 10) -> list[list[float]]:
        maker = ClipMaker(spec.with_overrides({"test_clips": test_clips, "num_test_clips": number}))
        window = maker.window(sources)
        return [maker.clip(window, view=view).clip_TCHW[:, 0, 0, 0].tolist() for view in maker.spec.test_views]

    drawn = frames_of("random")
    assert drawn == frames_of("random")
    assert len({tuple(clip) for clip in drawn}) == 10
    assert all(50 * k <= clip[k] < 50 * (k + 1) for clip in drawn for k in range(4))
    # Each segment by itself: evenly shifted clips move all their frames alike.
    assert len({round(clip[1] - clip[0]) for clip in drawn}) > 5
    assert {round(clip[1] - clip[0]) for clip in frames_of("shifted")} == {50}
    assert frames_of("random", number=1) == frames_of("shifted", number=1) == [[25.0, 75.0, 125.0, 175.0]]


def test_mirroring_needs_labels_that_allow_it_and_a_spec_that_does() -> None:
    sources = {Stream.RGB: in_colour(moved_texture(6, dx=1, dy=0))}
    always = Augmentation(mirror_probability=1.0)
    for may, mirror, expected in ((True, "labels", True), (False, "labels", False), (True, "never", False)):
        spec = ClipSpec.from_mapping({"num_frames": 4, "size": (32, 32), "mirror": mirror, "augmentation": always})
        maker = ClipMaker(spec, may_mirror=may)
        plain = maker.read_clip(sources).clip_TCHW
        clip = maker.read_clip(sources, generator=draw(3))
        assert clip.mirrored is expected
        test_clip = maker.read_clip(sources)
        assert not test_clip.mirrored
        assert torch.equal(test_clip.clip_TCHW, plain)


def test_mirrored_flow_is_the_flow_of_mirrored_frames() -> None:
    grey = moved_texture(8, dx=3, dy=1)
    spec = ClipSpec(
        streams=(Stream.FLOW,), num_frames=4, size=(64, 80), augmentation=Augmentation(mirror_probability=1.0)
    )
    flipped = ClipMaker(spec, may_mirror=True).read_clip({Stream.RGB: in_colour(grey)}, generator=draw(0))
    assert flipped.mirrored
    inner = flipped.clip_TCHW[:, :, 16:-16, 16:-16].mean(dim=(0, 2, 3)) * spec.flow.scale_px
    assert inner.tolist() == pytest.approx([-3.0, 1.0], abs=0.4)


# Depth is not a picture


@pytest.mark.parametrize("seed", [None, 0, 1, 2, 3])
@pytest.mark.parametrize("region", ["frame", "motion"])
def test_no_depth_comes_out_that_was_not_measured(region: str, seed: int | None) -> None:
    """Two flat surfaces and holes: every measured output lies at or between the two, none is drawn towards 0."""
    scene = square(8, size=(60, 90), tops=[20] * 8, lefts=list(range(20, 60, 5)), side=20, inside=800, outside=1000)
    holes = np.random.default_rng(0).random(scene.shape) < 0.2
    spec = ClipSpec(
        streams=(Stream.DEPTH,),
        num_frames=6,
        size=(32, 32),
        region=region,  # type: ignore[arg-type]
        depth=RelativeDepthChannels(scale_mm=1.0, clip_mm=5000.0),
        augmentation=MOVES,
    )
    clip = ClipMaker(spec).read_clip(
        {Stream.DEPTH: in_depth(np.where(holes, 0, scene))}, generator=None if seed is None else draw(seed)
    )
    relative, measured = clip.clip_TCHW[:, 0], clip.clip_TCHW[:, 1]
    known = relative[measured > 0.05]
    assert known.max() - known.min() == pytest.approx(200.0, abs=3.0)  # both surfaces are there
    assert known.max() < 200.0 + 3.0
    assert known.min() > -200.0 - 3.0
    assert (relative[measured <= 0.05] == 0).all()
    if seed is not None or region == "motion":  # scaled or turned: some pixels are in part measured
        assert ((measured > 0.05) & (measured < 0.95)).any()


def test_the_farthest_depth_that_a_file_can_hold_stays_finite() -> None:
    scene = np.full((6, 32, 32), 65535)
    scene[:, 8:24, 8:24] = 900
    spec = ClipSpec(streams=(Stream.DEPTH,), num_frames=4, size=(32, 32), augmentation=MOVES)
    clip = ClipMaker(spec).read_clip({Stream.DEPTH: in_depth(scene)}, generator=draw(1))
    assert clip.clip_TCHW.isfinite().all()


# Refusals and edges


def test_spans_include_their_start_and_exclude_their_end() -> None:
    times_s = np.arange(5) / 10
    assert frames_in_span(times_s, (0.1, 0.3)).tolist() == [1, 2]
    assert frames_in_span(times_s, (None, None)).tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ClipError, match="last frame is at nothing"):
        frames_in_span(np.zeros(0), (None, None))


def test_sampling_of_the_spec_is_used() -> None:
    levels = (np.zeros((40, 16, 16), dtype=np.int64) + np.arange(40)[:, None, None]).astype(np.uint8)
    spec = ClipSpec(num_frames=32, size=(16, 16), rgb=RAW, sampling=UniformSampling())
    clip = ClipMaker(spec).read_clip({Stream.RGB: in_colour(levels)}).clip_TCHW
    assert clip[:9, 0, 0, 0].tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 10]


@pytest.mark.parametrize("num_test_clips", [1, 2])
def test_a_kept_window_of_a_long_recording_gives_the_same_neighbouring_frames(num_test_clips: int) -> None:
    frames = Frames(np.zeros((300, 24, 24, 3), np.uint8), np.arange(300) / 30)
    spec = ClipSpec(
        num_frames=16, size=(16, 16), sampling=DenseSampling(fps=25), max_frames=64, num_test_clips=num_test_clips
    )
    maker, sources = ClipMaker(spec), {Stream.RGB: ArraySource(frames)}
    for view in spec.test_views:
        read = maker.read_clip(sources, view=view)
        kept = maker.clip(maker.window(sources), view=view)
        np.testing.assert_array_equal(read.times_s, kept.times_s)
        assert len(set(kept.times_s)) == 16


def test_a_settled_maker_cuts_all_pieces_of_a_stream_at_one_place_and_measures_from_one_distance() -> None:
    depth_THW = np.zeros((90, 60, 80))
    for t in range(90):
        depth_THW[t, 20:36, 10 + t % 20 : 26 + t % 20] = 900 - t
    source = in_depth(depth_THW)
    spec = ClipSpec(streams=(Stream.DEPTH,), size=(16, 16), region="motion", max_frames=30)
    maker = ClipMaker(spec)
    settled = maker.settle({Stream.DEPTH: source})
    assert maker.box is None
    assert settled.box is not None
    whole = settled.cut_frames({Stream.DEPTH: source}, np.arange(90)).clip_TCHW
    pieces = [settled.cut_frames({Stream.DEPTH: source}, np.arange(start, start + 30)) for start in (0, 30, 60)]
    assert torch.equal(torch.cat([piece.clip_TCHW for piece in pieces]), whole)
    # The reference is that of 30 frames of all, and therefore close to that of all.
    assert isinstance(settled.spec.depth, RelativeDepthChannels)
    assert settled.spec.depth.reference_mm == pytest.approx(855, abs=3)
    alone = maker.cut_frames({Stream.DEPTH: source}, np.arange(90)).clip_TCHW
    torch.testing.assert_close(whole[:, 0].mean(), alone[:, 0].mean(), atol=0.05, rtol=0)


def test_settling_reads_nothing_where_every_frame_is_cut_alike() -> None:
    class Unread(ArraySource):
        def read(self, *_: object, **__: object) -> Frames:
            raise AssertionError("nothing is to be read")

    source = Unread(Frames(np.zeros((9, 8, 8, 3), np.uint8), np.arange(9.0)))
    maker = ClipMaker(ClipSpec(size=(8, 8)))
    assert maker.settle({Stream.RGB: source}).spec == maker.spec
    with pytest.raises(ClipError, match="needs the rgb stream"):
        maker.settle({})


def test_frames_that_are_named_are_those_that_come() -> None:
    levels = (np.zeros((9, 16, 16), dtype=np.int64) + np.arange(9)[:, None, None]).astype(np.uint8)
    clip = ClipMaker(ClipSpec(size=(16, 16), rgb=RAW)).cut_frames({Stream.RGB: in_colour(levels)}, np.array([2, 2, 7]))
    assert clip.clip_TCHW[:, 0, 0, 0].tolist() == [2, 2, 7]
