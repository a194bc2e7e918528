"""Predictor: one answer for a recording however it comes, and run folders that say what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mudra.clips import ArraySource, ClipSpec, RunCard
from mudra.errors import ClipError, ModelError, RunError, VideoError
from mudra.serving import Predictor, load
from mudra.serving.predictor import frames_of_array
from mudra.types import DepthFormat, Frames, Stream
from mudra.video import open_video, write_depth, write_video
from tests.fixtures.run import tiny_config, write_run

CLASSES = ("left", "right", "up", "down", "wave", "push", "pull")


def moving(num_frames: int = 12, *, seed: int = 0) -> np.ndarray:
    """A bright square on a random ground that moves right: colour (T, H, W, 3)."""
    ground = np.random.default_rng(seed).integers(0, 120, (48, 48, 3), dtype=np.uint8)
    frames = np.stack([ground] * num_frames)
    for index, frame in enumerate(frames):
        frame[16:32, 2 + 2 * index : 18 + 2 * index] = (250, 200, 60)
    return frames


def depth_mm(num_frames: int = 12) -> np.ndarray:
    """The same square in depth: (T, H, W) in millimetres, with a column that was not measured."""
    frames = np.full((num_frames, 48, 48), 1200, np.uint16)
    for index, frame in enumerate(frames):
        frame[16:32, 2 + 2 * index : 18 + 2 * index] = 700
    frames[:, :, 46:] = 0
    return frames


def predictor_of(folder: Path, changes: dict[str, Any] | None = None, **card: Any) -> Predictor:
    return load(write_run(folder / "run", tiny_config(changes), classes=CLASSES, **card), device="cpu")


@pytest.fixture(scope="module")
def colour_run(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return predictor_of(tmp_path_factory.mktemp("colour"))


# One recording, several ways


def test_a_file_its_frames_and_their_array_are_one(tmp_path: Path, colour_run: Predictor) -> None:
    # At the clip's own size, so that nothing is scaled on the way.
    write_video(tmp_path / "a.mp4", Frames(moving()[:, 8:40, 8:40], np.arange(12) / 30))
    with open_video(tmp_path / "a.mp4") as reader:
        frames = reader.read()
    from_file = colour_run.predict(tmp_path / "a.mp4")
    others = (
        colour_run.predict(str(tmp_path / "a.mp4")),
        colour_run.predict(frames),
        colour_run.predict(frames.frames_THWC, fps=30.0),
    )
    for other in others:
        assert other.top == from_file.top
        assert other.span_s == pytest.approx(from_file.span_s)
    assert from_file.path == str(tmp_path / "a.mp4")
    assert others[1].path == ""


def test_scaling_while_decoding_is_scaling_afterwards(tmp_path: Path, colour_run: Predictor) -> None:
    smooth = np.stack([cv2.GaussianBlur(frame, (0, 0), 3) for frame in moving()])
    write_video(tmp_path / "a.mp4", Frames(smooth, np.arange(12) / 30))
    with open_video(tmp_path / "a.mp4") as reader:
        frames = reader.read()
    ways = {}
    for name, video in (("file", tmp_path / "a.mp4"), ("frames", frames)):
        result = colour_run.predict(video)
        ways[name] = (result.label, result.probability)
    assert ways["file"][0] == ways["frames"][0]
    assert ways["file"][1] == pytest.approx(ways["frames"][1], abs=0.02)


def test_the_answer_depends_on_what_is_shown(colour_run: Predictor) -> None:
    one, other = colour_run.predict(moving()), colour_run.predict(moving(seed=5)[:, :, ::-1])
    assert one.probability != other.probability


def test_probabilities_are_ranked_and_sum_to_one(tmp_path: Path, colour_run: Predictor) -> None:
    prediction = colour_run.predict(moving())
    assert (prediction.label, prediction.probability) == prediction.top[0]
    ranked = [probability for _, probability in prediction.top]
    assert ranked == sorted(ranked, reverse=True)
    assert len(ranked) == 5
    views = colour_run.read_views({Stream.RGB: ArraySource(frames_of_array(moving(), Stream.RGB, fps=30.0))})
    assert float(colour_run.probabilities([views]).sum()) == pytest.approx(1.0, abs=1e-5)
    two = load(write_run(tmp_path / "two", tiny_config(), classes=("a", "b")), device="cpu").predict(moving())
    assert sum(p for _, p in two.top) == pytest.approx(1.0, abs=1e-5)


def test_it_says_what_it_looked_at_and_for_how_long(colour_run: Predictor) -> None:
    prediction = colour_run.predict(moving(), fps=10.0, span_s=(0.35, 1.0))
    assert prediction.span_s == pytest.approx((0.4, 0.9))
    assert set(prediction.latency_ms) == {"decode", "clip", "network"}
    assert all(value >= 0 for value in prediction.latency_ms.values())
    with pytest.raises(ClipError, match=r"no frame between 9\.0 s"):
        colour_run.predict(moving(), span_s=(9.0, None))


def test_the_run_is_in_evaluation_mode(colour_run: Predictor) -> None:
    assert not colour_run.network.training  # dropout off
    assert colour_run.predict(moving()).top == colour_run.predict(moving()).top


class Linear(nn.Module):
    """Logits that grow with the clip's brightness, so that softmax and mean do not commute."""

    def forward(self, clip_BTCHW: Tensor) -> Tensor:
        level_B = clip_BTCHW.mean(dim=(1, 2, 3, 4))
        return torch.stack([4 * level_B, -level_B, torch.zeros_like(level_B)], dim=1)


def test_views_are_averaged_after_the_softmax() -> None:
    spec = ClipSpec(num_frames=4, size=(16, 16), num_test_clips=2, num_test_crops=3)
    predictor = Predictor(Linear(), RunCard(classes=("a", "b", "c"), clip=spec), device="cpu")
    wide = (np.zeros((16, 16, 48, 3)) + np.arange(48)[:, None] * 5).astype(np.uint8)
    source = ArraySource(Frames(wide, np.arange(16) / 30))
    views = predictor.read_views({Stream.RGB: source})
    assert len(views.clips) == 6
    logits = Linear()(torch.stack([clip.clip_TCHW for clip in views.clips]))
    assert len(logits[:, 0].round(decimals=4).unique()) == 3  # the crops differ
    assert torch.allclose(predictor.probabilities([views])[0], logits.softmax(dim=1).mean(dim=0), atol=1e-6)
    assert not torch.allclose(predictor.probabilities([views])[0], logits.mean(dim=0).softmax(dim=0), atol=1e-2)


def test_the_network_never_gets_more_clips_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ClipSpec(num_frames=4, size=(16, 16), num_test_clips=2, num_test_crops=3)
    predictor = Predictor(Linear(), RunCard(classes=("a", "b", "c"), clip=spec), device="cpu")
    views = []
    for level in range(3):
        wide = (np.zeros((16, 16, 48, 3)) + np.arange(48)[:, None] * (2 + level)).astype(np.uint8)
        views.append(predictor.read_views({Stream.RGB: ArraySource(Frames(wide, np.arange(16) / 30))}))
    whole = predictor.probabilities(views)
    assert predictor.recordings_at_once == 2
    monkeypatch.setattr("mudra.serving.predictor.CLIPS_AT_ONCE", 4)
    assert predictor.recordings_at_once == 1
    sizes: list[int] = []
    predictor.network.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    torch.testing.assert_close(predictor.probabilities(views), whole)
    assert sizes == [4, 4, 4, 4, 2]


def test_recordings_in_a_batch_do_not_mix(colour_run: Predictor) -> None:
    sources = [ArraySource(frames_of_array(moving(seed=seed), Stream.RGB, fps=30.0)) for seed in (0, 7)]
    views = [colour_run.read_views({Stream.RGB: source}) for source in sources]
    together = colour_run.probabilities(views)
    for one, probability_K in zip(views, together, strict=True):
        assert torch.allclose(colour_run.probabilities([one])[0], probability_K, atol=1e-5)


# Depth and both


def test_a_run_on_depth_takes_files_frames_and_arrays(tmp_path: Path) -> None:
    run = predictor_of(tmp_path, {"clip.streams": ["depth"], "clip.region": "motion"})
    depth = depth_mm()
    frames = Frames(depth[..., None], np.arange(12) / 30)
    write_depth(tmp_path / "d.mkv", frames)
    answers = [run.predict(video) for video in (tmp_path / "d.mkv", frames, depth, depth[..., None])]
    assert all(answer.top == answers[0].top for answer in answers)  # depth is stored without loss


def test_levels_become_millimetres_as_in_training(tmp_path: Path) -> None:
    run = predictor_of(tmp_path, {"clip.streams": ["depth"]}, depth=DepthFormat(mm_per_level=10.0, missing_level=255))
    depth = depth_mm()
    levels = np.where(depth > 0, depth // 10, 255).astype(np.uint8)
    assert run.predict(levels).top == run.predict(depth).top


def test_another_distance_gives_the_same_answer(tmp_path: Path) -> None:
    run = predictor_of(tmp_path, {"clip.streams": ["depth"], "clip.region": "motion"})
    depth = depth_mm()
    farther = np.where(depth > 0, depth + 304, 0).astype(np.uint16)
    assert [p for _, p in run.predict(farther).top] == pytest.approx([p for _, p in run.predict(depth).top], abs=0.01)


def test_a_run_on_both_wants_both(tmp_path: Path) -> None:
    run = predictor_of(tmp_path, {"clip.streams": ["rgb", "depth"]})
    with pytest.raises(ClipError, match=r"looks at colour and depth, only one video came\n  hint: give its depth too"):
        run.predict(moving())
    here, farther = (run.predict(moving(), depth=depth) for depth in (depth_mm(), depth_mm()[::-1]))
    assert here.top != farther.top


def test_flow_is_computed_on_the_way(tmp_path: Path) -> None:
    run = predictor_of(tmp_path, {"clip.streams": ["flow"]})
    forwards, backwards = run.predict(moving()), run.predict(moving()[::-1].copy())
    assert forwards.top != backwards.top


# Refusals


@pytest.mark.parametrize(
    "video",
    [
        depth_mm(),
        moving().astype(np.float32),
        moving()[..., :1],
        moving()[0],
        moving()[:0],
        Frames(depth_mm()[..., None], np.arange(12.0)),
    ],
    ids=["depth", "float", "one channel", "one frame", "no frame", "frames of depth"],
)
def test_what_is_no_colour_is_refused(colour_run: Predictor, video: Any) -> None:
    with pytest.raises(ClipError, match=r"came for the rgb stream\n  hint: wanted \(T, H, W, 3\) uint8"):
        colour_run.predict(video)


@pytest.mark.parametrize("video", [moving(), Frames(moving(), np.arange(12.0)), depth_mm().astype(np.int64)])
def test_what_is_no_depth_is_refused(tmp_path: Path, video: Any) -> None:
    run = predictor_of(tmp_path, {"clip.streams": ["depth"]})
    with pytest.raises(ClipError, match="came for the depth stream"):
        run.predict(video)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, colour_run: Predictor) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video at all")
    for name in ("bad.mp4", "gone.mp4"):
        with pytest.raises(VideoError, match=name):
            colour_run.predict(tmp_path / name)


def cut(name: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        (run / name).write_bytes((run / name).read_bytes()[:30])

    return change


def without(name: str) -> Callable[[Path], None]:
    return lambda run: (run / name).unlink()


def other_network(run: Path) -> None:
    text = (run / "run.yaml").read_text(encoding="utf-8")
    (run / "run.yaml").write_text(text.replace("num_classes: 7", "num_classes: 9"), encoding="utf-8")


def no_model(run: Path) -> None:
    (run / "run.yaml").write_text("seed: 0", encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (without("weights.safetensors"), RunError, r"not a finished run, weights.safetensors missing \(there: card.js"),
        (without("card.json"), RunError, "card.json missing"),
        (without("run.yaml"), RunError, r"run.yaml missing.*\n  hint: name the folder that `mudra train` wrote"),
        (cut("card.json"), RunError, r"card.json: damaged"),
        (cut("weights.safetensors"), RunError, r"run: damaged \(.*\n  hint: train again"),
        (no_model, RunError, "damaged"),
        (other_network, ModelError, "the weights do not fit the network of run.yaml"),
    ],
    ids=["no weights", "no card", "no config", "cut card", "cut weights", "no model", "another network"],
)
def test_a_damaged_run_is_explained(
    tmp_path: Path, change: Callable[[Path], None], error: type[Exception], message: str
) -> None:
    run = write_run(tmp_path / "run", tiny_config(), classes=CLASSES)
    change(run)
    with pytest.raises(error, match=message):
        load(run)


def test_a_folder_that_is_none_is_explained(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"not a finished run, .* missing \(there: no such folder\)"):
        load(tmp_path / "nowhere")


# Streams that do not belong


def test_flow_comes_from_what_training_computed_it_from(tmp_path: Path) -> None:
    flow = {"clip.streams": ["flow"]}
    from_depth = predictor_of(tmp_path / "depth", flow, flow_from=Stream.DEPTH)
    from_colour = predictor_of(tmp_path / "colour", flow)
    assert from_depth.predict(depth_mm()).label in CLASSES
    with pytest.raises(ClipError, match="came for the rgb stream"):
        from_colour.predict(depth_mm())


def test_depth_that_a_colour_run_does_not_look_at_is_refused(colour_run: Predictor) -> None:
    with pytest.raises(ClipError, match="the run looks at colour alone"):
        colour_run.predict(moving(), depth=depth_mm())


def test_a_depth_run_looks_at_the_depth_that_came_with_a_colour_video(tmp_path: Path) -> None:
    run = predictor_of(tmp_path, {"clip.streams": ["depth"]})
    assert run.predict(moving(), depth=depth_mm()).probability == run.predict(depth_mm()).probability


def test_a_colour_run_refuses_16_bit_depth_files(tmp_path: Path, colour_run: Predictor) -> None:
    write_depth(tmp_path / "depth.mkv", Frames(depth_mm()[..., None], np.arange(12) / 30))
    with pytest.raises(VideoError, match="16-bit depth"):
        colour_run.predict(tmp_path / "depth.mkv")


@pytest.mark.parametrize("first_coloured", [0, 4], ids=["coloured throughout", "grey at first"])
def test_a_depth_run_refuses_colour_files(tmp_path: Path, first_coloured: int) -> None:
    run = predictor_of(tmp_path, {"clip.streams": ["depth"]})
    frames = moving()
    frames[:first_coloured] = frames[:first_coloured].mean(axis=-1, keepdims=True)
    write_video(tmp_path / "colour.mp4", Frames(frames, np.arange(12) / 30))
    with pytest.raises(VideoError, match=r"is a colour video; the run looks at depth alone\n  hint: give the depth"):
        run.predict(tmp_path / "colour.mp4")
    grey = np.repeat(moving().mean(axis=-1, keepdims=True), 3, axis=-1).astype(np.uint8)
    write_video(tmp_path / "depth.mp4", Frames(grey, np.arange(12) / 30))  # levels stored as colour
    assert run.predict(tmp_path / "depth.mp4").label in CLASSES


@pytest.mark.real
def test_real_colour_and_real_depth_are_told_apart(shared_data: Path, tmp_path: Path) -> None:
    run = predictor_of(tmp_path, {"clip.streams": ["depth"]})
    colour = [*(shared_data / "fir").glob("*.mp4"), *(shared_data / "congd").rglob("*.M.avi")]
    colour += [
        *sorted((shared_data / "isogd").rglob("M_*.avi"))[:5],
        *(shared_data / "nvgesture").rglob("sk_wrapped.avi"),
    ]
    for path in colour:
        with pytest.raises(VideoError, match="is a colour video"):
            run.predict(path, span_s=(None, 1.0))
    for pattern in (
        "isogd/train/*/K_*.avi",
        "isogd/aligned_depth/**/*.avi",
        "nvgesture/**/sk_depth.avi",
        "shrec2017/**/*.mkv",
    ):
        for path in sorted(shared_data.glob(pattern))[:5]:
            assert run.predict(path).label in CLASSES


def test_a_card_of_another_run_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", tiny_config(), classes=CLASSES)
    other = write_run(tmp_path / "other", tiny_config(), classes=CLASSES[:3])
    (folder / "card.json").write_bytes((other / "card.json").read_bytes())
    with pytest.raises(ModelError, match=r"names 3 classes, the network has 7"):
        load(folder)


@pytest.mark.parametrize("name", ["run.yaml", "card.json"])
def test_files_that_are_no_text_are_damaged(tmp_path: Path, name: str) -> None:
    folder = write_run(tmp_path / "run", tiny_config(), classes=CLASSES)
    (folder / name).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunError, match="damaged"):
        load(folder)


def test_an_array_needs_a_frame_rate(colour_run: Predictor) -> None:
    with pytest.raises(ClipError, match=r"0\.0 frames per second"):
        colour_run.predict(moving(), fps=0.0)
