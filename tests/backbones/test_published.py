"""Published weights: read from files as programs write them, bared of wrappers, and refused where they do not fit."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from mudra.backbones.published import bare_names, check_fit, read_published
from mudra.errors import ModelError

WEIGHT = torch.arange(6.0).view(2, 3)


def test_files_are_read_with_and_without_a_wrapper(tmp_path: Path) -> None:
    save_file({"a": WEIGHT}, tmp_path / "a.safetensors")
    torch.save({"a": WEIGHT}, tmp_path / "a.pth")
    torch.save({"state_dict": {"a": WEIGHT}, "epoch": 3}, tmp_path / "wrapped.pth.tar")
    for name in ("a.safetensors", "a.pth", "wrapped.pth.tar"):
        assert torch.equal(read_published(str(tmp_path / name), None)["a"], WEIGHT)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.pth: no such file of weights\n  hint: give a file"):
        read_published(str(tmp_path / "gone.pth"), None)
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ModelError, match=r"text\.pth: not a file of weights \("):
        read_published(str(tmp_path / "text.pth"), None)
    for found in ({"epoch": 3}, {}):
        torch.save(found, tmp_path / "empty.pth")
        with pytest.raises(ModelError, match=r"empty\.pth: holds no weights by name\n  hint: save network"):
            read_published(str(tmp_path / "empty.pth"), None)
    with pytest.raises(ModelError, match="torchvision has no weights of this network"):
        read_published("imagenet", None)


def test_wrappers_are_taken_off_known_names_alone() -> None:
    names = {"module.base_model.conv1.weight": WEIGHT, "conv1.bias": WEIGHT, "module.new_fc.bias": WEIGHT}
    bare = bare_names(names, lambda name: name.startswith("conv1."))
    assert list(bare) == ["conv1.weight", "conv1.bias", "module.new_fc.bias"]


def test_what_does_not_fit_is_listed_by_reason() -> None:
    wanted = {"a": WEIGHT, "b": WEIGHT, "c": WEIGHT, "n.num_batches_tracked": torch.tensor(1)}
    check_fit({"a": WEIGHT, "b": WEIGHT}, wanted, "file", fresh={"c"}, names="names")
    listed = (
        r"file: 3 missing, unknown or of another shape \(1 missing: c; 1 of another shape: b; 1 unknown: d\)\n"
        r"  hint: wanted: a state dict with names"
    )
    with pytest.raises(ModelError, match=listed):
        check_fit({"a": WEIGHT, "b": WEIGHT.T, "d": WEIGHT}, wanted, "file", fresh=set(), names="names")


def test_the_error_names_what_the_message_has_no_room_for() -> None:
    wanted = {f"layer{number}": WEIGHT for number in range(9)}
    with pytest.raises(ModelError, match=r"9 missing: layer0, layer1, layer2, \.\.\.; 1 unknown: other\)") as raised:
        check_fit({"other": WEIGHT}, wanted, "file", fresh=set(), names="names")
    assert raised.value.__notes__ == [*(f"missing: layer{number}" for number in range(9)), "unknown: other"]


@pytest.mark.parametrize("error", [URLError("no route to host"), RuntimeError("invalid hash value")])
def test_weights_that_cannot_be_fetched_name_their_address(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torchvision.models.VGG16_Weights, "get_state_dict", fail)
    with pytest.raises(ModelError, match=r"https://.*vgg16.*cannot be fetched") as raised:
        read_published("imagenet", "VGG16_Weights.IMAGENET1K_V1")
    assert "model.backbone.pretrained=FILE" in str(raised.value)
