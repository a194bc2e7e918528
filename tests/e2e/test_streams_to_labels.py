"""From a list of segments in video files to a network that labels the frames of such files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mudra.clips import ClipMaker, RunCard, sample_whole
from mudra.datasets import UNLABELLED, Dataset, label_frames
from mudra.models import FrameWiseNet, judge_stream
from mudra.training import RunConfig, train
from mudra.training.callback import read_curves
from mudra.types import Recording, Stream
from mudra.video import open_recording, write_depth
from tests.fixtures.frame_streams import CLASSES, FPS, SHOWN, draw_stream, segments_of, tiny_frame_config
from tests.fixtures.trees import write_csv


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """Depth files of the tiny streams, and a CSV with the times of what they show."""
    rows = []
    for name in SHOWN:
        path = tmp_path / f"{name.replace('/', '_')}.mkv"
        frames = draw_stream(name)
        write_depth(path, list(frames.frames_THWC[..., :1].astype(np.uint16) * 4 + 8), fps=FPS)
        rows += [
            {"path": path.name, "start_s": f"{start_s:.3f}", "end_s": f"{end_s:.3f}", "label": CLASSES[label]}
            | {"split": name.partition("/")[0]}
            for label, start_s, end_s in segments_of(name)
        ]
    return write_csv(tmp_path / "segments.csv", rows)


def test_a_list_of_segments_becomes_a_network_that_labels_frames(tmp_path: Path, listed: Path) -> None:
    data = {"kind": "segments", "path": str(listed), "stream": "depth", "classes": ["left", "right"]}
    changes = {
        "data": data,
        "clip.streams": ["depth"],
        "clip.depth": {"kind": "relative", "scale_mm": 200.0},
        "clip.region": "motion",
        "clip.region_margin_fraction": 0.0,
        "clip.sampling.time_scale": [0.8, 1.25],
        "fitting.epochs": 10,
        "fitting.keep": "best",
        "optimiser.lr": 0.02,
    }
    config = tiny_frame_config(changes)
    assert config.data is not None
    dataset = config.data.build()
    assert dataset.card.classes == CLASSES
    run = train(config, dataset, tmp_path / "run", tell=lambda line: None)
    rows = read_curves(run / "metrics.csv")
    assert rows[-1]["train_loss"] < 0.6 * rows[0]["train_loss"]
    card = RunCard.model_validate_json((run / "card.json").read_text(encoding="utf-8"))
    assert card.metrics["validation_jaccard"] == max(row["validation_jaccard"] for row in rows) > 0.7
    # What was written is all that is needed, and it says what the training's own validation said.
    network = RunConfig.from_yaml(run / "run.yaml").model.build()
    assert isinstance(network, FrameWiseNet)
    network.load_state_dict(load_file(run / "weights.safetensors"))
    right = [judge_file(network.eval(), card, dataset, recording) for recording in dataset.split("validation")]
    assert np.concatenate(right).mean() == pytest.approx(card.metrics["validation_accuracy"], abs=1e-4)


def judge_file(network: FrameWiseNet, card: RunCard, dataset: Dataset, recording: Recording) -> np.ndarray:
    """Say for each frame of a file whether its label is found."""
    maker = ClipMaker(card.clip.for_tests())
    with open_recording(recording, Stream.DEPTH) as reader:
        chosen, times_s = sample_whole(reader.times_s, FPS), reader.times_s
        sources = {Stream.DEPTH: reader}
        clip = maker.settle(sources).cut_frames(sources, chosen)
    window = card.clip.num_frames
    rows = torch.cat(list(judge_stream(network, clip.clip_TCHW.split(5), window=window, stride=window // 2)))
    truth = label_frames(recording.segments or (), times_s[chosen], idle=card.classes.index(card.idle_class or ""))
    assert UNLABELLED not in truth
    return np.asarray(rows.argmax(dim=1).numpy() == truth)
