"""Fine-tuning: all that fits is taken, what does not is named, and what cannot be used is refused."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mudra.backbones import ResNetConfig, TemporalShiftConfig
from mudra.clips import RunCard
from mudra.datasets import Dataset, IsogdConfig, JesterConfig
from mudra.datasets.jester import FRAMES_FOLDER
from mudra.errors import ModelError, RunError
from mudra.models import GestureNet
from mudra.training import RunConfig, dry_run, train
from mudra.training.init_from import LIST_NAME, Origin, read_origin, read_weights, start_from, take_weights
from mudra.training.module import GestureModule
from mudra.types import Batch
from tests.fixtures.run import tiny_config, write_run
from tests.fixtures.trees import build_isogd, build_jester
from tests.fixtures.video import VideoMaker


class Small(nn.Module):
    """A network with what can go wrong: a head, normalisation with counters, two layers."""

    def __init__(self, *, num_classes: int = 3, in_channels: int = 2) -> None:
        super().__init__()
        self.stem = nn.Conv2d(in_channels, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, num_classes)


def build(seed: int, *, num_classes: int = 3, in_channels: int = 2) -> Small:
    torch.manual_seed(seed)
    network = Small(num_classes=num_classes, in_channels=in_channels)
    network.norm.running_mean += seed  # as training leaves it
    network.norm.num_batches_tracked += seed
    return network


def state(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The weights of a network with seven classes."""
    path = tmp_path / "source.safetensors"
    save_file(build(5, num_classes=7).state_dict(), path)
    return path


def test_all_that_fits_is_taken_and_the_rest_is_named(source: Path) -> None:
    network = build(1)
    before, there = state(network), load_file(source)
    taken = take_weights(network, source)
    after = state(network)
    assert set(taken.taken) == {name for name in before if not name.startswith("head.")}
    for name, value in after.items():
        assert torch.equal(value, before[name] if name.startswith("head.") else there[name]), name
    assert taken.fresh == ("head.weight 3x4, there 7x4", "head.bias 3, there 7")
    assert taken.unused == ()
    numbers = {name: value.numel() for name, value in before.items()}
    fitting = sum(count for name, count in numbers.items() if not name.startswith("head."))
    assert taken.share == pytest.approx(fitting / sum(numbers.values()))
    assert taken.explain() == [
        f"init_from {source}: 7 of 9 tensors taken, 2 new; {taken.share:.1%} of all numbers",
        "new: head.weight 3x4, there 7x4",
        "new: head.bias 3, there 7",
    ]


def test_other_channels_keep_the_first_layer_fresh(source: Path) -> None:
    network = build(1, num_classes=7, in_channels=5)
    fresh = state(network)["stem.weight"]
    taken = take_weights(network, source)
    assert taken.fresh == ("stem.weight 4x5x3x3, there 4x2x3x3",)
    assert torch.equal(network.stem.weight, fresh)


def test_what_only_one_side_has_is_named(tmp_path: Path) -> None:
    weights = build(5).state_dict()
    weights["extra.scale"] = weights.pop("norm.num_batches_tracked")
    save_file(weights, tmp_path / "w.safetensors")
    taken = take_weights(build(1), tmp_path / "w.safetensors")
    assert taken.fresh == ("norm.num_batches_tracked number, not there",)
    assert taken.unused == ("extra.scale number",)
    assert taken.explain()[-1] == "not used: extra.scale number"


# Where weights come from


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: weights,
        lambda weights: {"state_dict": {f"network.{name}": value for name, value in weights.items()}, "epoch": 3},
        lambda weights: {"model": {f"module.{name}": value for name, value in weights.items()}},
        lambda weights: {**weights, "note": "no tensor"},
    ],
    ids=["plain", "checkpoint", "several GPUs", "with other values"],
)
def test_files_of_torch_are_read_whatever_is_around_the_weights(tmp_path: Path, wrap: Any) -> None:
    weights = build(5).state_dict()
    torch.save(wrap(weights), tmp_path / "w.pt")
    read = read_weights(tmp_path / "w.pt")
    assert read.keys() == weights.keys()
    assert all(torch.equal(read[name], value) for name, value in weights.items())


def test_a_name_that_only_some_weights_begin_with_is_kept(tmp_path: Path) -> None:
    torch.save({"model.stem": torch.ones(2), "head": torch.ones(2)}, tmp_path / "w.pt")
    assert set(read_weights(tmp_path / "w.pt")) == {"model.stem", "head"}


class Dangerous:
    """What would run code if a file were unpickled without care."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("code was run",))


def save_odd_files(folder: Path) -> Path:
    folder.mkdir()
    torch.save(build(0), folder / "module.pt")
    torch.save({"w": Dangerous()}, folder / "code.pt")
    torch.save([torch.ones(2)], folder / "list.pt")
    torch.save({"epoch": 3}, folder / "empty.pt")
    (folder / "text.pt").write_text("no weights")
    (folder / "zero.pt").touch()
    (folder / "text.safetensors").write_text("no weights at all")
    (folder / "run").mkdir()
    (folder / "run" / "run.yaml").touch()
    return folder


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone", r"init_from: no such file or folder: /.*/odd/gone\n  hint: name a run folder"),
        ("run", r"odd/run is no finished run, weights\.safetensors is missing \(there: run\.yaml\)\n  hint: .*--out"),
        ("module.pt", r"module\.pt cannot be read as weights \(.*\n  hint: wanted \.safetensors, or a state_dict"),
        ("code.pt", "cannot be read as weights"),
        ("list.pt", r"cannot be read as weights \(holds list, wanted tensors by name\)"),
        ("empty.pt", r"cannot be read as weights \(holds no tensors by name\)"),
        ("text.pt", "cannot be read as weights"),
        ("zero.pt", "cannot be read as weights"),
        ("text.safetensors", "cannot be read as weights"),
    ],
)
def test_what_holds_no_weights_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    folder = save_odd_files(tmp_path / "odd")
    with pytest.raises(RunError, match=message):
        read_weights(folder / name)
    assert capsys.readouterr().out == "", "no code of the file was run"


def test_other_names_are_refused(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.ones(3)}, tmp_path / "w.safetensors")
    message = (
        r"none of the 1 weights of .*w\.safetensors fits the network; no name in common: the network has stem\.weight, "
        r"the source conv1\.weight\n  hint: give the model of that run: its run\.yaml says which"
    )
    with pytest.raises(ModelError, match=message):
        take_weights(build(1), tmp_path / "w.safetensors")


def test_other_shapes_are_refused_though_a_counter_fits(tmp_path: Path) -> None:
    weights = build(5).state_dict()
    other = {name: value[:1].clone() if value.ndim else value for name, value in weights.items()}
    save_file(other, tmp_path / "w.safetensors")
    network = build(1)
    before = state(network)
    with pytest.raises(ModelError, match=r"shapes differ: stem\.weight 4x2x3x3, there 1x2x3x3; stem\.bias 4, there 1"):
        take_weights(network, tmp_path / "w.safetensors")
    assert all(torch.equal(value, before[name]) for name, value in state(network).items())


def test_no_source_changes_and_tells_nothing() -> None:
    network = build(1)
    before = state(network)
    lines: list[str] = []
    assert start_from(None, network, tell=lines.append) == Origin([], [])
    assert lines == []
    assert all(torch.equal(value, before[name]) for name, value in state(network).items())


def test_an_origin_that_no_card_tells_is_nothing(tmp_path: Path) -> None:
    assert read_origin(tmp_path) == []
    (tmp_path / "card.json").write_text("{")
    assert read_origin(tmp_path) == []


# Runs


def silent(line: str) -> None:
    pass


def card_of(run: Path) -> RunCard:
    return RunCard.model_validate_json((run / "card.json").read_text(encoding="utf-8"))


@pytest.fixture
def first_weights(monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """The weights before the first step of whatever is trained in the test."""
    kept: dict[str, Tensor] = {}
    step = GestureModule.training_step

    def keeping(module: GestureModule, batch: Batch, batch_idx: int) -> Tensor:
        if not kept:
            kept.update(state(module.network))
        return step(module, batch, batch_idx)

    monkeypatch.setattr(GestureModule, "training_step", keeping)
    return kept


@pytest.fixture
def other_run(tmp_path: Path) -> Path:
    """A run on other classes."""
    return write_run(tmp_path / "other", tiny_config(), classes=("wave", "nod", "point"))


def test_training_starts_from_the_weights_of_a_run(
    tmp_path: Path, drawn: Dataset, other_run: Path, first_weights: dict[str, Tensor]
) -> None:
    lines: list[str] = []
    config = tiny_config({"init_from": str(other_run), "fitting.epochs": 1})
    out = train(config, drawn, tmp_path / "run", tell=lines.append)
    there = load_file(other_run / "weights.safetensors")
    assert first_weights.keys() == there.keys()
    differing = {name for name, value in there.items() if not torch.equal(value, first_weights[name])}
    assert differing == {"head.dense.weight", "head.dense.bias"}
    stem = "backbone.stem.conv.weight"
    assert not torch.equal(load_file(out / "weights.safetensors")[stem], there[stem]), "it was trained on"
    told = [line for line in lines if line.startswith(("init_from", "new:", "not used:"))]
    assert [line.split(":")[0] for line in told] == [f"init_from {other_run}", "new", "new"]
    assert told[1].startswith("new: head.dense.weight 12x")
    assert card_of(out).made_with["init_from"] == told
    assert (out / LIST_NAME).read_text(encoding="utf-8").splitlines() == told
    assert RunConfig.from_yaml(out / "run.yaml").init_from == other_run


def test_what_is_told_in_part_is_listed_in_the_run_folder(tmp_path: Path, drawn: Dataset, other_run: Path) -> None:
    weights = load_file(other_run / "weights.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("cells.")}
    gone = sorted(weights.keys() - kept.keys() | {"head.dense.weight", "head.dense.bias"})
    extra = {f"extra.{number}": torch.zeros(2, 3) for number in range(9)}
    save_file(kept | extra, tmp_path / "other.safetensors")
    lines: list[str] = []
    config = tiny_config({"init_from": str(tmp_path / "other.safetensors"), "fitting.epochs": 1})
    out = train(config, drawn, tmp_path / "run", tell=lines.append)
    (counts,) = (line for line in lines if line.startswith("init_from "))
    assert f"{len(gone)} new, 9 not used; " in counts
    assert f"new: ... and {len(gone) - 6} more, all in {out / LIST_NAME}" in lines
    assert f"not used: ... and 3 more, all in {out / LIST_NAME}" in lines
    listed = (out / LIST_NAME).read_text(encoding="utf-8").splitlines()
    assert sorted(line.split()[1] for line in listed if line.startswith("new: ")) == gone
    assert [line for line in listed if line.startswith("not used: ")] == [f"not used: {name} 2x3" for name in extra]
    # A dry run leaves no folder to look into, and tells them all.
    told: list[str] = []
    dry_run(config, drawn, tell=told.append)
    assert [line for line in told if line.startswith(("new: ", "not used: "))] == listed[1:]


def test_a_dry_run_takes_them_too(drawn: Dataset, other_run: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    dry_run(tiny_config({"init_from": str(other_run)}), drawn, tell=lines.append)
    assert any(line.startswith(f"init_from {other_run}: ") for line in lines)
    with pytest.raises(RunError, match="no such file or folder"):
        dry_run(tiny_config({"init_from": str(tmp_path / "gone")}), drawn, tell=silent)


@pytest.mark.parametrize("name", ["gone", "other.safetensors"])
def test_a_source_that_cannot_be_used_is_refused_before_anything_is_written(
    tmp_path: Path, drawn: Dataset, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    save_file({"conv1.weight": torch.ones(3)}, tmp_path / "other.safetensors")
    config = tiny_config({"init_from": str(tmp_path / name)})
    with pytest.raises((RunError, ModelError), match="init_from: "):
        train(config, drawn, tmp_path / "run", tell=silent)
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_goes_on_from_its_own_state(
    tmp_path: Path, drawn: Dataset, other_run: Path, first_weights: dict[str, Tensor]
) -> None:
    changes = {"init_from": str(other_run), "fitting.epochs": 1}
    out = train(tiny_config(changes), drawn, tmp_path / "run", tell=silent)
    told, ended = card_of(out).made_with["init_from"], load_file(out / "weights.safetensors")
    (other_run / "weights.safetensors").unlink()
    first_weights.clear()
    # Neither the source's going nor another word for it matters any more.
    for epochs, origin in ((2, str(other_run)), (3, None)):
        lines: list[str] = []
        longer = tiny_config({"init_from": origin, "fitting.epochs": epochs})
        train(longer, drawn, out, resume=True, tell=lines.append)
        assert not any(line.startswith("init_from") for line in lines)
        assert card_of(out).made_with["init_from"] == told
        assert RunConfig.from_yaml(out / "run.yaml").init_from == other_run
    assert all(torch.equal(first_weights[name], value) for name, value in ended.items())


def test_from_jester_to_isogd(tmp_path: Path, video_maker: VideoMaker, first_weights: dict[str, Tensor]) -> None:
    """The protocol of Zhang et al. 2018, in small: 27 classes of pictures first, then 249 of colour and depth."""
    jester, isogd = build_jester(tmp_path / "jester", num_pictures=3), build_isogd(tmp_path / "isogd", num_train=16)
    picture = cv2.imencode(".jpg", np.full((32, 40, 3), 90, np.uint8))[1].tobytes()
    for path in (jester / FRAMES_FOLDER).rglob("*.jpg"):
        path.write_bytes(picture)
    for path in isogd.rglob("*.avi"):
        video_maker(path, size=(32, 40), num_frames=4)
    config = tiny_config({"fitting.epochs": 1, "clip.num_frames": 3, "loader.cache": "none"})
    first = config.model_copy(update={"data": JesterConfig(root=jester)})
    assert first.data is not None
    run = train(first, first.data.build(), tmp_path / "first", tell=silent)
    assert "validation_top1" in card_of(run).metrics
    assert card_of(run).fps == 12
    first_weights.clear()
    (isogd / "train/001/M_00016.avi").unlink()
    second = first.model_copy(update={"data": IsogdConfig(root=isogd, on_missing="skip"), "init_from": run})
    assert second.data is not None
    lines: list[str] = []
    tuned = train(second, second.data.build(), tmp_path / "second", tell=lines.append)
    there = load_file(run / "weights.safetensors")
    assert {name for name, value in there.items() if not torch.equal(value, first_weights[name])} == {
        "head.dense.weight",
        "head.dense.bias",
    }
    assert any(line.startswith("new: head.dense.weight 249x") and "there 27x" in line for line in lines)
    card = card_of(tuned)
    assert card.metrics == {}, "its validation split has no labels"
    assert len(card.classes) == 249
    assert "1 of 16 train recordings are not there" in card.left_out[0]


def test_the_card_tells_it_in_a_form_that_survives(tmp_path: Path, drawn: Dataset, other_run: Path) -> None:
    out = train(tiny_config({"init_from": str(other_run), "fitting.epochs": 1}), drawn, tmp_path / "run", tell=silent)
    assert json.loads((out / "card.json").read_text(encoding="utf-8"))["made_with"]["init_from"] == read_origin(out)


def test_checkpoints_with_other_programs_names_are_taken(tmp_path: Path) -> None:
    backbone = ResNetConfig(depth=18, width=0.125, temporal_module=TemporalShiftConfig())
    network, other = (GestureNet(num_classes=5, in_channels=3, backbone=backbone, cells=(), top=None) for _ in range(2))
    theirs = {
        "module.base_model." + name.removeprefix("backbone.").replace("0.conv1.weight", "0.conv1.net.weight"): value
        for name, value in other.state_dict().items()
        if name.startswith("backbone.")
    }
    torch.save({"state_dict": theirs | {"module.new_fc.bias": torch.zeros(7)}}, tmp_path / "tsm.pth.tar")
    taken = take_weights(network, tmp_path / "tsm.pth.tar")
    assert taken.fresh == ("head.dense.weight 5x64, not there", "head.dense.bias 5, there 7")
    assert taken.unused == ()
    wrapped = theirs["module.base_model.layer1.0.conv1.net.weight"]
    assert torch.equal(network.backbone.get_parameter("layer1.0.conv1.weight"), wrapped)


def test_published_weights_of_the_config_are_loaded_first(tmp_path: Path) -> None:
    config = ResNetConfig(depth=18, width=0.125)
    published = config.build(3).state_dict()
    torch.save(published, tmp_path / "published.pt")
    named = config.model_copy(update={"pretrained": str(tmp_path / "published.pt")})
    network = GestureNet(num_classes=5, in_channels=3, backbone=named, cells=(), top=None)
    lines: list[str] = []
    start_from(None, network, tell=lines.append)
    assert lines == [f"pretrained {named.pretrained}: 120 of 120 tensors taken; 100.0% of all numbers"]
    for name, value in network.backbone.state_dict().items():
        assert torch.equal(value, published[name]), name


def test_published_weights_that_do_not_fit_are_all_named_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    config = ResNetConfig(depth=18, width=0.125)
    published = config.build(3).state_dict()
    theirs = {name.replace("layer4", "layer5"): value for name, value in published.items()}
    torch.save(theirs, tmp_path / "published.pt")
    named = config.model_copy(update={"pretrained": str(tmp_path / "published.pt")})
    network = GestureNet(num_classes=5, in_channels=3, backbone=named, cells=(), top=None)
    with pytest.raises(ModelError, match=r"25 missing: layer4\.0\.conv1\.weight, .*, \.\.\.; 30 unknown: ") as raised:
        start_from(None, network, tell=silent)
    (path,) = re.findall(r"all 55 names: (\S+)$", str(raised.value))
    wanted = {f"missing: {name}" for name in published if "layer4" in name and "tracked" not in name}
    wanted |= {f"unknown: {name}" for name in theirs if "layer5" in name}
    assert set(Path(path).read_text(encoding="utf-8").splitlines()) == wanted
