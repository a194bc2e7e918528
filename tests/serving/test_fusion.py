"""Late fusion: weights that a search over all of them would choose, classes by name, one set of clips for all."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mudra.clips import ArraySource, ClipSpec, FrameSource, RgbChannels, RunCard
from mudra.errors import ConfigError, DataError, ModelError, VideoError
from mudra.serving import Member, Predictor, fuse, tune_weights, write_fusion
from mudra.types import Frames, Recording, Stream

CLASSES = ("dark", "middle", "light")
LEVELS = (20, 120, 220)


def mean_nll(weights: Sequence[float], probability_RNK: Tensor, label_N: Tensor) -> float:
    mixed = sum(weight * one for weight, one in zip(weights, probability_RNK, strict=True))
    assert isinstance(mixed, Tensor)
    return float(-mixed[torch.arange(len(label_N)), label_N].log().mean())


def random_answers(num_runs: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """Return answers of runs that know the truth to different degrees."""
    generator = torch.Generator().manual_seed(seed)
    label_N = torch.randint(0, 4, (60,), generator=generator)
    logits_RNK = torch.randn(num_runs, 60, 4, generator=generator, dtype=torch.float64)
    hints_R = torch.linspace(0.5, 2.0, num_runs)
    logits_RNK += hints_R[:, None, None] * nn.functional.one_hot(label_N, 4)
    return logits_RNK.softmax(dim=-1), label_N


@pytest.mark.parametrize("seed", range(3))
def test_no_weighting_of_a_fine_grid_is_better(seed: int) -> None:
    probability_RNK, label_N = random_answers(3, seed=seed)
    tuned = tune_weights(probability_RNK, label_N)
    grid = np.arange(0, 101) / 100
    best = min(mean_nll((a, b, 1 - a - b), probability_RNK, label_N) for a in grid for b in grid if a + b <= 1.0 + 1e-9)
    assert tuned.mean_nll <= best + 1e-6
    assert tuned.mean_nll == pytest.approx(mean_nll(tuned.weight_R, probability_RNK, label_N), abs=1e-9)
    assert tuned.equal_nll == pytest.approx(mean_nll([1 / 3] * 3, probability_RNK, label_N), abs=1e-9)
    assert sum(tuned.weight_R) == pytest.approx(1.0)
    assert tuned.num_clips == 60


def test_runs_that_answer_alike_share_their_weight() -> None:
    probability_RNK, label_N = random_answers(2, seed=0)
    doubled = tune_weights(probability_RNK[[0, 1, 1]], label_N).weight_R
    assert doubled[1] == doubled[2]
    alone = tune_weights(probability_RNK, label_N).weight_R
    assert doubled[1] + doubled[2] == pytest.approx(alone[1], abs=1e-3)
    assert tune_weights(probability_RNK[[1, 1]], label_N).weight_R == [0.5, 0.5]


def test_a_run_that_is_sure_and_wrong_does_not_break_the_search() -> None:
    wrong = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    tuned = tune_weights(torch.stack([wrong, wrong]), torch.tensor([0, 1]))
    assert tuned.weight_R == [0.5, 0.5]
    assert tuned.mean_nll == pytest.approx(-np.log(1e-12))


class Brightness(nn.Module):
    """Knows a clip's class by its mean level; classes stand in the order that `order` says."""

    def __init__(self, order: Sequence[int], sharpness: float) -> None:
        super().__init__()
        self.order, self.sharpness = list(order), sharpness

    def forward(self, clip_BTCHW: Tensor) -> Tensor:
        level_B1 = clip_BTCHW[:, :, :1].mean(dim=(1, 2, 3, 4))[:, None]
        logits_BK: Tensor = -(level_B1 - torch.tensor(LEVELS)[self.order]).abs() * self.sharpness
        return logits_BK


def draw(recording: Recording, stack: ExitStack) -> Mapping[Stream, FrameSource]:
    """Frames of the brightness that the file's name tells; `bad` cannot be read."""
    if "bad" in recording.path.name:
        raise VideoError(recording.path, "truncated")
    level = int(recording.path.stem.split("-")[1])
    return {Stream.RGB: ArraySource(Frames(np.full((5, 16, 16, 3), level, np.uint8), np.arange(5) / 10))}


def blind(recording: Recording, stack: ExitStack) -> Mapping[Stream, FrameSource]:
    """Frames that are all alike; `odd` cannot be read."""
    if "odd" in recording.path.name:
        raise VideoError(recording.path, "no such stream")
    return {Stream.RGB: ArraySource(Frames(np.full((5, 16, 16, 3), 120, np.uint8), np.arange(5) / 10))}


def member(name: str, *, order: Sequence[int] = (0, 1, 2), sees: bool = True, sharpness: float = 0.05) -> Member:
    raw = RgbChannels(mean=(0.0, 0.0, 0.0), divisor=(1.0, 1.0, 1.0))
    card = RunCard(classes=tuple(CLASSES[k] for k in order), clip=ClipSpec(num_frames=3, size=(16, 16), rgb=raw))
    return Member(name, Predictor(Brightness(order, sharpness), card, device="cpu"), draw if sees else blind)


def clips(count: int, *, prefix: str = "") -> list[Recording]:
    levels = [LEVELS[index % 3] for index in range(count)]
    return [Recording(path=Path(f"{prefix}{i}-{level}.mp4"), label=i % 3) for i, level in enumerate(levels)]


def test_the_run_that_sees_gets_the_weight_and_the_fused_score() -> None:
    told: list[str] = []
    found = fuse(
        [member("seeing"), member("blind", sees=False)],
        clips(9),
        tune_on=clips(6, prefix="v"),
        progress=lambda done, total, what: told.append(what),
    )
    assert found.weight_R == pytest.approx([1.0, 0.0], abs=1e-3)
    assert found.tuned is not None
    assert found.tuned.num_clips == 6
    assert [scores.top1 for scores in found.single_R] == [1.0, pytest.approx(1 / 3)]
    assert found.evaluation.scores.top1 == 1.0
    assert found.warnings == []
    assert told == ["judging: seeing", "judging: blind", "tuning: seeing", "tuning: blind"]


def test_classes_are_matched_by_name_not_by_place() -> None:
    found = fuse([member("first"), member("other", order=(2, 0, 1))], clips(9))
    assert [scores.top1 for scores in found.single_R] == [1.0, 1.0]
    assert found.evaluation.scores.top1 == 1.0
    assert found.weight_R == [0.5, 0.5]
    assert found.tuned is None


def test_given_weights_are_scaled_and_used() -> None:
    members = [member("soft", sharpness=0.01), member("blind", sees=False)]
    found = fuse(members, clips(3), weights=[3.0, 1.0])
    assert found.weight_R == [0.75, 0.25]
    alone = [fuse(members, clips(3), weights=one).evaluation.probability_NK for one in ([1.0, 0.0], [0.0, 1.0])]
    np.testing.assert_allclose(found.evaluation.probability_NK, 0.75 * alone[0] + 0.25 * alone[1], atol=1e-9)


def test_a_clip_that_one_run_cannot_read_is_left_out_for_all() -> None:
    extra = [Recording(path=Path("odd-20.mp4"), label=0), Recording(path=Path("bad-20.mp4"), label=0)]
    found = fuse([member("seeing"), member("blind", sees=False)], [*extra, *clips(3)])
    assert [scores.num_clips for scores in (*found.single_R, found.evaluation.scores)] == [3, 3, 3]
    assert {clip.path for clip in found.evaluation.unread} == {"odd-20.mp4", "bad-20.mp4"}
    assert [recording.key for recording in found.evaluation.recordings] == [clip.key for clip in clips(3)]


def test_tuning_on_the_judged_clips_is_told() -> None:
    told: list[str] = []
    fuse([member("a"), member("b")], clips(6), tune_on=clips(6), progress=lambda done, total, what: told.append(what))
    assert told == ["judging: a", "judging: b"]  # the same clips are read once
    found = fuse([member("a"), member("b")], clips(6), tune_on=clips(3))
    (warning,) = found.warnings
    assert warning.startswith("the weights were tuned on 3 of the 6 clips that are judged")


def test_clips_that_no_two_runs_share_are_refused() -> None:
    two = [Recording(path=Path("odd-20.mp4"), label=0), Recording(path=Path("bad-20.mp4"), label=0)]
    with pytest.raises(DataError, match="no recording can be read by all 2 runs"):
        fuse([member("seeing"), member("blind", sees=False)], two)


def test_one_run_or_one_name_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="1 different runs came"):
        fuse([member("a")], clips(3))
    with pytest.raises(ConfigError, match="1 different runs came"):
        fuse([member("a"), member("a")], clips(3))


def test_runs_with_other_classes_are_refused_by_name() -> None:
    other = member("b")
    renamed = other.predictor.card.model_copy(update={"classes": ("dark", "middle", "bright")})
    other = other._replace(predictor=Predictor(other.predictor.network, renamed, device="cpu"))
    with pytest.raises(ModelError, match="a and b know different classes: the second lacks light and adds bright"):
        fuse([member("a"), other], clips(3))


def test_of_many_differing_classes_some_are_listed() -> None:
    members = []
    for name in ("a", "b"):
        card = RunCard(classes=tuple(f"{name}{k}" for k in range(7)), clip=ClipSpec())
        members.append(Member(name, Predictor(Brightness((0, 1, 2), 1.0), card, device="cpu"), draw))
    with pytest.raises(ModelError, match="lacks a0, a1, a2, a3, a4 and 2 more and adds b0, b1, b2, b3, b4 and 2 more"):
        fuse(members, clips(3))


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [2.0, -1.0], [float("nan"), 1.0]], ids=str)
def test_weights_that_mean_nothing_are_refused(weights: list[float]) -> None:
    with pytest.raises(ConfigError, match="for 2 runs") as caught:
        fuse([member("a"), member("b")], clips(3), weights=weights)
    assert "one weight for each run" in caught.value.hint


def test_weights_and_a_tuning_split_are_too_much() -> None:
    with pytest.raises(ConfigError, match="weights are given, and a split to tune them on too"):
        fuse([member("a"), member("b")], clips(3), weights=[0.5, 0.5], tune_on=clips(3))


def test_report_predictions_and_weights_are_written(tmp_path: Path) -> None:
    members = [member("seeing"), member("blind", sees=False)]
    found = fuse(members, clips(6), tune_on=clips(6))
    report = write_fusion(tmp_path / "new" / "out", found, members, title="Both", facts={"split": "test"})
    page = report.read_text(encoding="utf-8")
    assert "Both" in page
    assert "seeing: weight 1.000, alone top-1 1.0000" in page
    assert "the weights were tuned on 6 of the 6 clips" in page
    told = json.loads((report.parent / "fusion.json").read_text(encoding="utf-8"))
    assert told == json.loads(json.dumps(found.to_json()))
    assert [run["name"] for run in told["runs"]] == ["seeing", "blind"]
    assert told["runs"][1]["top1"] == pytest.approx(1 / 3)
    assert told["fused"]["top1"] == 1.0
    assert told["tuned"]["num_clips"] == 6
    assert json.loads((report.parent / "scores.json").read_text(encoding="utf-8"))["top1"] == 1.0
    with (report.parent / "predictions.csv").open(encoding="utf-8") as file:
        assert [row["predicted"] for row in csv.DictReader(file)] == [*CLASSES, *CLASSES]
