"""`mudra data features`: maps once, trainings on them, predictions on videos, all through the command line."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from mudra.models import RecurrentFrameNet
from mudra.training.feature_store import FeatureStore
from mudra.training.frame_vote_module import FrameVoteModule
from tests.cli.conftest import Mudra, damage
from tests.fixtures.features import frozen_config


@pytest.fixture
def frozen_yaml(tmp_path: Path, gestures: Path) -> Path:
    """A tiny run on a frozen backbone and a folder of twelve videos, as a file."""
    config = frozen_config(tmp_path, {"data": {"kind": "folder", "root": str(gestures)}, "clip.num_frames": 4})
    path = tmp_path / "frozen.yaml"
    path.write_text(config.with_overrides({"loader.batch_size": 4}).to_yaml(), encoding="utf-8")
    return path


def files() -> dict[Path, int]:
    """Return when every file of maps was written."""
    return {path: path.stat().st_mtime_ns for path in Path("maps").rglob("*.safetensors")}


def test_features_then_training_then_a_prediction(mudra: Mudra, frozen_yaml: Path, gestures: Path) -> None:
    made = mudra("data", "features", frozen_yaml, "--out", "maps")
    assert made.code == 0, made.err
    assert "at the test view, without chance\n" in made.out
    assert "maps of vgg16 (T, C, H, W): (4, 32, 2, 2), float32\n" in made.out
    assert "maps: 12 recordings computed, 0 were there, 0 left out\n" in made.out
    assert made.out.endswith(f"next: mudra train {frozen_yaml} loader.features=maps\n")
    assert len(files()) == 12
    trained = mudra("train", frozen_yaml, "loader.features=maps", "--out", "run")
    assert trained.code == 0, trained.err
    assert (
        "trained on the maps in maps: clip.augmentation and chance in clip.sampling have no part in it" in trained.out
    )
    assert "epoch 2/2" in trained.out
    for path in files():
        path.unlink()
    Path("vgg0.pth").unlink()
    clip = next(gestures.rglob("*.mp4"))
    predicted = mudra("predict", "run", clip)
    assert predicted.code == 0, predicted.err
    assert str(clip) in predicted.out
    judged = mudra("evaluate", "run", "--split", "train")
    assert judged.code == 0, judged.err


def test_what_is_there_is_not_computed_again(mudra: Mudra, frozen_yaml: Path) -> None:
    first = mudra("data", "features", frozen_yaml, "--out", "maps", "--split", "val")
    assert first.code == 0, first.err
    before = files()
    assert f"maps: {len(before)} recordings computed, 0 were there, 0 left out\n" in first.out
    assert 0 < len(before) < 12
    lacking = mudra("train", frozen_yaml, "loader.features=maps", "--out", "run")
    assert lacking.code == 2
    assert "maps: no features of " in lacking.err
    assert ".mp4: missing" in lacking.err
    assert not Path("run").exists()
    # The command that the message names computes what is missing, of all splits.
    words = shlex.split(lacking.err.strip().rpartition("settings: ")[2])
    mended = mudra(*words[1:])
    assert f"maps: {12 - len(before)} recordings computed, {len(before)} were there, 0 left out\n" in mended.out
    assert {path: files()[path] for path in before} == before
    corrupt = next(iter(before))
    damage(corrupt)
    again = mudra(*words[1:])
    assert "maps: 1 recordings computed, 11 were there, 0 left out\n" in again.out
    assert mudra("train", frozen_yaml, "loader.features=maps", "--dry-run").code == 0


def test_a_dry_run_tells_room_and_time_and_writes_nothing(mudra: Mudra, frozen_yaml: Path) -> None:
    before = sorted(Path().iterdir())
    words = ("data", "features", frozen_yaml, "--out", "maps", "--dry-run")
    outcome = mudra(*words, "--numbers", "float16", "--views", "2")
    assert outcome.code == 0, outcome.err
    assert "and 2 drawn views of each training clip\n" in outcome.out
    assert "to compute: 12 recordings\nroom: " in outcome.out
    assert "time: about 0.0 min on cpu\n" in outcome.out
    assert outcome.out.endswith("dry run: nothing was written\n")
    assert sorted(Path().iterdir()) == before
    assert f"room: {12 * 4 * 32 * 4 * 4:,} bytes, free: " in mudra(*words).out
    mudra(*words[:-1])
    there = mudra(*words)
    assert "to compute: 0 recordings\nroom: 0 bytes" in there.out
    assert "time: none\n" in there.out


def test_damaged_recordings_are_left_out_with_exit_code_3(mudra: Mudra, frozen_yaml: Path, gestures: Path) -> None:
    bad = damage(gestures / "wave" / "s03_take1.mp4")
    outcome = mudra("data", "features", frozen_yaml, "--out", "maps")
    assert outcome.code == 3, outcome.err
    assert f"left out: {bad}: " in outcome.out
    assert "maps: 11 recordings computed, 0 were there, 1 left out\n" in outcome.out
    words = ("train", frozen_yaml, "loader.features=maps", "--dry-run")
    assert mudra(*words, "data.on_damaged=skip").code == 0


def test_drawn_views_are_trained_on(mudra: Mudra, frozen_yaml: Path) -> None:
    made = mudra("data", "features", frozen_yaml, "--out", "maps", "--views", "2", "--numbers", "float16")
    assert made.code == 0, made.err
    manifest = json.loads(Path("maps/features.json").read_text(encoding="utf-8"))
    assert (manifest["num_views"], manifest["numbers"]) == (2, "float16")
    trained = mudra("train", frozen_yaml, "loader.features=maps", "--out", "run")
    assert trained.code == 0, trained.err
    more_words = ("clip.augmentation.rotation_deg=5", "loader.features=maps", "--out", "other")
    other = mudra("train", frozen_yaml, *more_words)
    assert "drawn_clip.augmentation.rotation_deg: 0.0 there, 5.0 wanted" in other.err


def test_what_does_not_fit_is_refused_with_what_differs(mudra: Mudra, frozen_yaml: Path) -> None:
    assert mudra("data", "features", frozen_yaml, "--out", "maps").code == 0
    features = ("data", "features", frozen_yaml, "--out", "maps")
    train = ("train", frozen_yaml, "loader.features=maps", "--out", "run")
    for words in (features, train):
        other = mudra(*words, "clip.num_frames=5")
        assert other.code == 2
        assert "error[data]: maps: its features are of other clips" in other.err
        assert "\n  clip.num_frames: 4 there, 5 wanted\n  hint: give" in other.err
        learns = mudra(*words, "model.backbone.frozen=false")
        assert learns.code == 2
        assert "error[config]: the backbone 'vgg16' learns" in learns.err
    none = mudra("train", frozen_yaml, "loader.features=gone", "--out", "run")
    assert none.code == 2
    assert "error[data]: gone: no folder of features (no such folder)\n  hint: compute them first: mudra" in none.err
    assert not Path("run").exists()


def test_ctrl_c_keeps_what_is_written_and_tells_how_to_go_on(
    mudra: Mudra, frozen_yaml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = FeatureStore.write, [0]

    def stop(*words: object, **how: object) -> None:
        if written[0] == 5:
            raise KeyboardInterrupt
        written[0] += 1
        write(*words, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(FeatureStore, "write", stop)
    outcome = mudra("data", "features", frozen_yaml, "--out", "maps")
    assert outcome.code == 130
    command = f"mudra data features {frozen_yaml} --out maps"
    assert outcome.err == f"maps: what is written is kept; to go on:\n  {command}\nstopped\n"
    monkeypatch.setattr(FeatureStore, "write", write)
    assert "maps: 7 recordings computed, 5 were there, 0 left out\n" in mudra(*shlex.split(command)[1:]).out


def test_training_reads_no_clip_and_runs_no_backbone(
    mudra: Mudra, frozen_yaml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mudra("data", "features", frozen_yaml, "--out", "maps").code == 0
    monkeypatch.setattr("mudra.training.clip_dataset.ClipDataset.make_clip", None)
    seen: list[tuple[int, ...]] = []
    step = FrameVoteModule.training_step

    def spy(self: FrameVoteModule, batch: object, batch_idx: int) -> object:
        seen.append(tuple(batch[0].shape))  # type: ignore[index]
        with monkeypatch.context() as inside:
            inside.setattr(RecurrentFrameNet, "compute_maps", None)
            return step(self, batch, batch_idx)  # type: ignore[arg-type]

    monkeypatch.setattr(FrameVoteModule, "training_step", spy)
    assert mudra("train", frozen_yaml, "loader.features=maps", "--out", "run").code == 0
    assert set(seen) == {(4, 4, 32, 2, 2)}
