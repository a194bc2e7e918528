"""Runs that predict frames: how far off they are by speed, and their pictures."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from mudra.cells import ConvLSTMConfig
from mudra.clips import ClipSpec, RunCard
from mudra.errors import DataError, RunError
from mudra.models import FutureNetConfig
from mudra.serving import FuturePredictor, KnownFuture, draw_futures, judge_future, load, load_future
from mudra.training import RunConfig
from tests.fixtures.run import tiny_config, write_run

MODEL = FutureNetConfig(num_frames_out=3, patch_size=2, encoder=ConvLSTMConfig(hidden_channels=4))
CARD = RunCard(classes=("0", "1"), clip=ClipSpec(num_frames=2, size=(8, 10)))


def write_future_run(folder: Path) -> Path:
    """A run folder that nobody had to train."""
    torch.manual_seed(0)
    folder.mkdir()
    (folder / "run.yaml").write_text(RunConfig(model=MODEL, clip=CARD.clip).to_yaml(), encoding="utf-8")
    (folder / "card.json").write_text(CARD.model_dump_json(), encoding="utf-8")
    save_file(MODEL.build().state_dict(), folder / "weights.safetensors")
    return folder


def constant(level: float) -> FuturePredictor:
    """Predicts the same logit for every pixel."""
    network = MODEL.build()
    torch.nn.init.zeros_(network.to_pixels.weight)
    assert network.to_pixels.bias is not None
    torch.nn.init.constant_(network.to_pixels.bias, level)
    return FuturePredictor(network, CARD, device="cpu")


def known(speeds: list[float], levels: list[float]) -> KnownFuture:
    """Clips whose future has one grey level each."""
    future: Tensor = torch.tensor(levels).view(-1, 1, 1, 1, 1).expand(-1, 3, 1, 8, 10)
    return KnownFuture(torch.zeros(len(levels), 2, 1, 8, 10), future, torch.tensor(speeds))


def entropy(level: float, logit: float) -> float:
    p = 1 / (1 + math.exp(-logit))
    return -80 * 3 * (level * math.log(p) + (1 - level) * math.log(1 - p))


def test_errors_are_told_by_speed() -> None:
    batches = [known([1.0, 3.9], [0.0, 0.5]), known([3.0], [1.0])]
    scores = judge_future(constant(0.7), batches)
    wanted = [entropy(level, 0.7) for level in (0.0, 0.5, 1.0)]
    assert [(s.low_px, s.high_px, s.num_clips) for s in scores.per_speed] == [(1, 2, 1), (3, 4, 2)]
    assert scores.per_speed[0].cross_entropy == pytest.approx(wanted[0], rel=1e-5)
    assert scores.per_speed[1].cross_entropy == pytest.approx((wanted[1] + wanted[2]) / 2, rel=1e-5)
    assert scores.overall.cross_entropy == pytest.approx(sum(wanted) / 3, rel=1e-5)
    assert (scores.overall.low_px, scores.overall.high_px, scores.overall.num_clips) == (1, 4, 3)
    p = 1 / (1 + math.exp(-0.7))
    assert scores.per_speed[0].mse == pytest.approx(80 * p**2, rel=1e-5)
    assert scores.per_frame == pytest.approx([sum(wanted) / 9] * 3, rel=1e-5)
    told = scores.to_json()
    assert told["num_clips"] == 3
    assert told["per_speed"][1]["low_px"] == 3
    assert len(told["cross_entropy_per_frame"]) == 3


def test_without_clips_nothing_is_judged() -> None:
    with pytest.raises(DataError, match="no clips came whose future is known"):
        judge_future(constant(0.0), [])


def test_the_picture_has_three_rows_for_each_clip() -> None:
    picture = draw_futures(constant(-20.0), known([1.0, 2.0], [1.0, 0.5]))
    assert picture.shape[2] == 3
    height = picture.shape[0] // 6
    assert picture.shape[0] == 6 * height
    # The last pixels of each row's first picture: nothing seen, what came white, or grey, and black predicted.
    levels = [int(picture[(row + 1) * height - 12, 20, 0]) for row in range(6)]
    assert levels == [0, 255, 0, 0, 128, 0]


def test_a_run_folder_is_loaded_and_names_no_clips(tmp_path: Path) -> None:
    run = write_future_run(tmp_path / "run")
    predictor = load_future(run, device="cpu")
    logits = predictor.logits(torch.rand(2, 2, 1, 8, 10))
    assert logits.shape == (2, 3, 1, 8, 10)
    assert not logits.requires_grad
    with pytest.raises(RunError, match="predicts frames, and names no clips\n  hint: mudra evaluate"):
        load(run)


def test_a_run_that_names_classes_predicts_no_frames(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", tiny_config(), classes=("a", "b"))
    with pytest.raises(RunError, match=r"names classes, and predicts no frames\n  hint: mudra\.load reads it"):
        load_future(run)
