"""`mudra train`: a folder, a file or a recipe becomes a run, or is refused before anything is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mudra.backbones import VGG16Config
from mudra.datasets import ucf101
from mudra.training import RunConfig
from mudra.training.callback import read_curves
from mudra.training.module import GestureModule
from tests.cli.conftest import CLASSES, Mudra, damage
from tests.fixtures.features import frozen_backbone
from tests.fixtures.trees import write_lines
from tests.fixtures.video import VideoMaker

QUICK = ("model.width=0.125", "clip.size=[32,32]", "clip.num_frames=6", "fitting.epochs=1", "loader.num_workers=0")


def card_of(run: Path) -> dict[str, object]:
    return dict(json.loads((run / "card.json").read_text(encoding="utf-8")))


def test_a_folder_of_ones_own_clips_becomes_a_run(mudra: Mudra, gestures: Path) -> None:
    outcome = mudra("train", gestures, *QUICK)
    assert outcome.code == 0, outcome.err
    run = Path("runs/gestures")
    assert card_of(run)["classes"] == list(CLASSES)
    assert RunConfig.from_yaml(run / "run.yaml").recipe == "ours/small"
    assert f"{gestures}: folder data set, 2 classes; recipe ours/small, stream rgb" in outcome.out
    assert "run folder: runs/gestures" in outcome.out
    assert "next: mudra evaluate runs/gestures" in outcome.out


def test_a_file_becomes_a_run_and_goes_on(mudra: Mudra, tiny_yaml: Path) -> None:
    assert mudra("train", tiny_yaml, "fitting.epochs=1", "--out", "mine").code == 0
    assert card_of(Path("mine"))["epochs"] == 1
    again = mudra("train", tiny_yaml, "fitting.epochs=1", "--out", "mine")
    assert again.code == 2
    assert (
        again.err == "error[run]: mine: holds a run already\n  hint: give another --out, or go on with it: --resume\n"
    )
    longer = mudra("train", tiny_yaml, "fitting.epochs=3", "--out", "mine", "--resume")
    assert longer.code == 0
    assert "epoch 3/3" in longer.out
    assert card_of(Path("mine"))["epochs"] == 3
    changed = mudra("train", tiny_yaml, "model.head.dropout=0.5", "--out", "mine", "--resume")
    assert changed.code == 2
    assert "made with another config" in changed.err


def test_the_saved_run_can_be_trained_again(mudra: Mudra, tiny_yaml: Path) -> None:
    assert mudra("train", tiny_yaml, "fitting.epochs=1", "--out", "mine").code == 0
    assert mudra("train", "mine/run.yaml", "--out", "again").code == 0
    weights = [(Path(run) / "weights.safetensors").read_bytes() for run in ("mine", "again")]
    assert weights[0] == weights[1]


def test_a_run_stopped_before_its_first_epoch_ended_keeps_nothing_and_says_so(
    mudra: Mudra, tiny_yaml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*words: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(GestureModule, "training_step", stop)
    outcome = mudra("train", tiny_yaml, "--out", "mine")
    assert outcome.code == 130
    assert outcome.err == "mine: no epoch had ended, nothing was kept\nstopped\n"


def test_a_dry_run_tells_and_writes_nothing(mudra: Mudra, tiny_yaml: Path) -> None:
    before = sorted(Path().iterdir())
    outcome = mudra("train", tiny_yaml, "--dry-run")
    assert outcome.code == 0
    assert "clips: 24 train, 12 validation" in outcome.out
    assert "batch (B, T, C, H, W): (8, 6, 3, 32, 32)" in outcome.out
    assert "dry run: no run folder was written" in outcome.out
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ours/small",), "error[config]: the recipe does not say which data to train on\n  hint: add data=synthetic"),
        (
            ("ours/smal", "data=synthetic"),
            "no recipe 'ours/smal'\n  hint: did you mean 'ours/small'? Recipes: mudra list",
        ),
        (("./nowhere",), "error[config]: ./nowhere: no such file or folder"),
        (("gone.yaml",), "error[config]: gone.yaml: no such file or folder"),
        (("gone.csv",), "error[data]: gone.csv: no such file or folder"),
        (
            ("ours/small", "data=synthetic", "fitting.epoch=1"),
            "unknown key 'fitting.epoch'\n  hint: did you mean 'epochs'?",
        ),
        (("ours/small", "data=synthetic", "optimser.lr=1"), "did you mean 'optimiser'?"),
        (("ours/small", "data=synthetic", "fitting.epochs=many"), "key 'fitting.epochs' got 'many'"),
        (("ours/small", "data=synthetic", "--epochs"), "--epochs"),
        (
            ("ours/small", "data=synthetic", "epochs"),
            "error[config]: 'epochs' is not an override\n  hint: write dotted.key",
        ),
        (
            ("ours/small", "data=synthetic", "data.clips_per_class_train=0"),
            "error[data]: 0 recordings in split 'train' of synthetic",
        ),
        (
            ("ours/small", "data=synthetic", "model.in_channels=4"),
            "model.in_channels is 4, the clip's streams (rgb) have 3",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(
    mudra: Mudra, words: tuple[str, ...], message: str
) -> None:
    outcome = mudra("train", *words, "--out", "mine")
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert not Path("mine").exists()


def test_an_empty_folder_says_what_was_looked_for(mudra: Mudra, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    outcome = mudra("train", tmp_path / "empty")
    assert outcome.code == 2
    assert "no data set; looked for" in outcome.err
    assert f"{tmp_path / 'empty'}/<class>/<video>" in outcome.err


def test_damaged_files_are_refused_and_then_left_out(mudra: Mudra, gestures: Path) -> None:
    bad = [damage(gestures / name / "s02_take1.mp4") for name in CLASSES]
    refused = mudra("train", gestures, *QUICK, "--out", "mine", "data.fractions=[0.7,0.3,0]")
    assert refused.code == 2
    assert "error[data]: 2 of 12 recordings are damaged:" in refused.err
    assert all(str(path) in refused.err for path in bad)
    assert "data.on_damaged=skip" in refused.err
    assert not Path("mine").exists()
    skipped = mudra("train", gestures, *QUICK, "--out", "mine", "data.fractions=[0.7,0.3,0]", "data.on_damaged=skip")
    assert skipped.code == 0, skipped.err
    assert skipped.out.count("left out: ") == 2
    left_out = card_of(Path("mine"))["left_out"]
    assert isinstance(left_out, list)
    assert [line.split(": ")[0] for line in left_out] == [str(path) for path in bad]


def test_a_dry_run_names_damaged_files_as_training_does(mudra: Mudra, gestures: Path) -> None:
    words = ("train", gestures, *QUICK, "data.fractions=[0.7,0.3,0]", "--dry-run")
    whole = mudra(*words)
    assert whole.code == 0, whole.err
    bad = damage(gestures / "push" / "s02_take1.mp4")
    refused = mudra(*words)
    assert refused.code == 2
    assert "error[data]: 1 of 12 recordings are damaged:" in refused.err
    assert str(bad) in refused.err
    assert "first step" not in refused.out
    skipped = mudra(*words, "data.on_damaged=skip")
    assert skipped.code == 0, skipped.err
    assert f"left out: {bad}: " in skipped.out
    clips = [next(line for line in outcome.out.splitlines() if "clips: " in line) for outcome in (whole, skipped)]
    assert [sum(int(word) for word in line.split() if word.isdecimal()) for line in clips] == [12, 11]
    assert not Path("runs").exists()


def test_a_set_of_damaged_files_alone_is_refused(mudra: Mudra, gestures: Path) -> None:
    for path in gestures.rglob("*.mp4"):
        damage(path)
    outcome = mudra("train", gestures, *QUICK, "--out", "mine", "data.on_damaged=skip")
    assert outcome.code == 2
    assert "0 recordings in split 'train'" in outcome.err
    assert not Path("mine").exists()


def test_another_runs_weights_are_a_start(mudra: Mudra, tiny_yaml: Path) -> None:
    assert mudra("train", tiny_yaml, "fitting.epochs=1", "--out", "first").code == 0
    tuned = mudra("train", tiny_yaml, "fitting.epochs=1", "init_from=first", "--out", "second")
    assert tuned.code == 0, tuned.err
    assert "init_from first: " in tuned.out
    refused = mudra("train", tiny_yaml, "init_from=runs/frist", "--out", "third")
    assert refused.code == 2
    assert "error[run]: init_from: no such file or folder: " in refused.err
    assert not Path("third").exists()


def test_ucf_101_in_its_official_form_is_trained_for_two_steps(
    mudra: Mudra, tmp_path: Path, video_maker: VideoMaker
) -> None:
    root, names = tmp_path / "ucf101", ucf101.CLASSES[:4]
    clips = {group: [f"{name}/v_{name}_g{group:02d}_c01.avi" for name in names] for group in (1, 8, 9)}
    for clip in (clip for group in clips.values() for clip in group):
        video_maker(root / ucf101.VIDEOS_FOLDER / clip, num_frames=8, size=(36, 48))
    lists = root / ucf101.LISTS_FOLDER
    train = [f"{clip} {label}" for group in (8, 9) for label, clip in enumerate(clips[group], 1)]
    write_lines(lists / "trainlist01.txt", train)
    write_lines(lists / "testlist01.txt", clips[1])
    backbone = frozen_backbone(tmp_path)
    assert isinstance(backbone, VGG16Config)
    words = (
        "data=ucf101",
        f"data.root={root}",
        f"model.backbone.pretrained={backbone.pretrained}",
        "model.width=0.0625",
        "clip.num_frames=3",
        "clip.size=[32,32]",
        "clip.test_size=[32,32]",
        "fitting.epochs=1",
        "loader.batch_size=4",
        "loader.num_workers=0",
    )
    trained = mudra("train", "agethen2019/table1/multi_3_5_mixed", *words, "--out", "run")
    assert trained.code == 0, trained.err
    assert card_of(Path("run"))["classes"] == list(ucf101.CLASSES)
    assert len(read_curves(Path("run/metrics.csv"))) == 1
    judged = mudra("evaluate", "run", "--split", "test", "--out", "judged")
    assert judged.code == 0, judged.err
