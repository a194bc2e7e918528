"""`mudra evaluate`: scores and a report; classes by name, never by place."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from mudra.backbones import VGG16Config
from mudra.cells import PeepholeConvLSTMConfig, PeepholeLSTMConfig
from mudra.models import RecurrentFrameNetConfig
from tests.cli.conftest import CLASSES, Mudra, damage
from tests.fixtures.run import tiny_config, write_run
from tests.fixtures.video import VideoMaker


def test_a_run_is_judged_on_its_own_data(mudra: Mudra, colour_run: Path, gestures: Path) -> None:
    outcome = mudra("evaluate", colour_run, "--split", "train")
    assert outcome.code == 0, outcome.err
    scores = json.loads((colour_run / "scores.json").read_text(encoding="utf-8"))
    assert f"{scores['num_clips']} clips: top-1 {scores['top1']:.4f}" in outcome.out
    assert f"report: {colour_run / 'report.html'}" in outcome.out
    page = (colour_run / "report.html").read_text(encoding="utf-8")
    assert "train" in page
    with (colour_run / "predictions.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == scores["num_clips"]


def test_other_data_is_labelled_by_the_runs_classes(mudra: Mudra, tmp_path: Path, video_maker: VideoMaker) -> None:
    """The run knows the classes in another order than the folder's names have."""
    for name in ("push", "wave"):
        video_maker(tmp_path / "others" / "test" / name / "1.mp4", size=(32, 32))
        video_maker(tmp_path / "others" / "train" / name / "1.mp4", size=(32, 32))
    run = write_run(tmp_path / "run", tiny_config(), classes=("wave", "still", "push"))
    outcome = mudra(
        "evaluate", run, "--data", tmp_path / "others", "--split", "test", "--out", tmp_path / "out", "--json"
    )
    assert outcome.code == 0, outcome.err
    scores = json.loads(outcome.out)
    assert scores["num_clips"] == 2
    with (tmp_path / "out" / "predictions.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    for row in rows[1:]:
        assert f"/{row[1]}/" in row[0]  # path, then the true class
    assert not (run / "report.html").exists()


def test_each_segment_of_a_stream_is_judged_as_a_clip(mudra: Mudra, tmp_path: Path, video_maker: VideoMaker) -> None:
    """The run knows no class of the frames between the segments, and needs none."""
    video_maker(tmp_path / "long.mp4", num_frames=30, fps=10, size=(32, 32))
    rows = ["long.mp4,0,1,push,test", "long.mp4,1.5,2.5,wave,test"]
    (tmp_path / "mine.csv").write_text("\n".join(["path,start_s,end_s,label,split", *rows]))
    run = write_run(tmp_path / "run", tiny_config(), classes=("wave", "push"))
    outcome = mudra("evaluate", run, "--data", tmp_path / "mine.csv", "--split", "test", "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["num_clips"] == 2


def test_classes_that_the_run_does_not_know_are_refused(mudra: Mudra, tmp_path: Path, gestures: Path) -> None:
    run = write_run(tmp_path / "run", tiny_config(), classes=("push", "waves"))
    outcome = mudra("evaluate", run, "--data", gestures)
    assert outcome.code == 2
    assert "error[data]: gestures has 1 of 2 classes that the 2 wanted ones lack: wave" in outcome.err
    assert "did you mean 'waves'?" in outcome.err


def test_an_empty_or_unknown_split_is_refused(mudra: Mudra, colour_run: Path, gestures: Path) -> None:
    unknown = mudra("evaluate", colour_run, "--split", "tset")
    assert unknown.code == 2
    assert "did you mean 'test'?" in unknown.err
    for path in gestures.rglob("s0[1-5]_*.mp4"):
        path.unlink()  # one person is left, who can be in one split alone
    empty = mudra("evaluate", colour_run, "--split", "validation")
    assert empty.code == 2
    assert "0 recordings in split 'validation'" in empty.err


def test_drawn_data_is_known_by_its_name(mudra: Mudra, tmp_path: Path) -> None:
    from mudra.datasets.synthetic import SYNTHETIC_CLASSES

    run = write_run(tmp_path / "run", tiny_config(), classes=SYNTHETIC_CLASSES)
    own, named = (mudra("evaluate", run, *words, "--json") for words in ((), ("--data", "synthetic")))
    assert own.code == named.code == 0
    assert json.loads(own.out) == json.loads(named.out)
    assert json.loads(own.out)["num_clips"] == 12


def test_a_damaged_file_is_told_and_the_others_are_judged(mudra: Mudra, colour_run: Path, gestures: Path) -> None:
    whole = mudra("evaluate", colour_run, "--split", "train", "--json")
    with (colour_run / "predictions.csv").open(encoding="utf-8") as file:
        first = list(csv.reader(file))[1][0]
    damage(Path(first))
    outcome = mudra("evaluate", colour_run, "--split", "train", "--json")
    assert outcome.code == 1
    assert f"not read: {first}" in outcome.err
    assert json.loads(outcome.out)["num_clips"] == json.loads(whole.out)["num_clips"] - 1


def test_the_accuracy_of_frames_that_vote_is_told(mudra: Mudra, tmp_path: Path, gestures: Path) -> None:
    model = RecurrentFrameNetConfig(
        backbone=VGG16Config(width=0.0625),
        cells=(PeepholeConvLSTMConfig(hidden_channels=4),),
        frame_cells=(PeepholeLSTMConfig(hidden_features=4, initialisation="pytorch"),),
    )
    config = tiny_config().model_copy(update={"model": model})
    config = config.with_overrides({"data": {"kind": "folder", "root": str(gestures)}})
    run = write_run(tmp_path / "votes", config, classes=CLASSES)
    told = mudra("evaluate", run, "--split", "train")
    assert told.code == 0, told.err
    scores = json.loads((run / "scores.json").read_text(encoding="utf-8"))
    assert 0.0 <= scores["frame_top1"] <= 1.0
    assert f", top-1 of single frames {scores['frame_top1']:.4f}\n" in told.out
    assert json.loads(mudra("evaluate", run, "--split", "train", "--json").out)["frame_top1"] == scores["frame_top1"]


def test_other_runs_say_nothing_of_single_frames(mudra: Mudra, colour_run: Path, gestures: Path) -> None:
    assert "single frames" not in mudra("evaluate", colour_run, "--split", "train").out
