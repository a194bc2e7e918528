"""Decoders from elsewhere: from checkpoints and from other runs' weights, with the numbers that stand in them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from mudra.clips import ClipSpec, RunCard
from mudra.errors import ModelError, RunError
from mudra.heads import MultiScaleDecoder, MultiScaleDecoderConfig
from mudra.serving.decoder_weights import find_decoder, is_without_decoder, read_decoder
from tests.fixtures.run import tiny_config

SETTINGS = (
    {},
    {"local_scale": "quarter", "bias": True},
    {"global_scale": "none"},
    {"local_scale": "none", "norm": "batch", "global_scale": "full"},
)


def write(folder: Path, config: MultiScaleDecoderConfig | None) -> Path:
    run = tiny_config()
    model = run.model.model_copy(update={"decoder": config})
    (folder / "run.yaml").write_text(run.model_copy(update={"model": model}).to_yaml(), encoding="utf-8")
    return folder


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("prefix", ["network.decoder.", "decoder."])
def test_a_decoder_is_read_back(settings: dict[str, object], prefix: str, tmp_path: Path) -> None:
    config = MultiScaleDecoderConfig.from_mapping(settings)
    decoder = config.build(16, 40)
    assert isinstance(decoder, MultiScaleDecoder)
    weights = {f"{prefix}{name}": x for name, x in decoder.state_dict().items()}
    weights["network.head.weight"] = torch.zeros(2)
    path = tmp_path / ("last.ckpt" if prefix.startswith("network") else "weights.safetensors")
    if path.suffix == ".ckpt":
        torch.save({"state_dict": weights, "epoch": 3}, path)
    else:
        save_file(weights, path)
    found: dict[str, Tensor] = read_decoder(write(tmp_path, config), path).state_dict()
    assert found.keys() == decoder.state_dict().keys()
    assert all(torch.equal(found[name], x) for name, x in decoder.state_dict().items())


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    config = MultiScaleDecoderConfig()
    path = tmp_path / "weights.safetensors"
    save_file({"head.weight": torch.zeros(2)}, path)
    with pytest.raises(RunError, match=r"run\.yaml has no decoder\n  hint: explain the run without --decoder"):
        read_decoder(write(tmp_path, None), path)
    run = write(tmp_path, config)
    with pytest.raises(RunError, match=r"holds no decoder\n  hint: give last\.ckpt"):
        read_decoder(run, path)
    for bad, text in ((tmp_path / "missing.ckpt", None), (tmp_path / "bad.ckpt", b"nothing"), (path, b"nothing")):
        if text is not None:
            bad.write_bytes(text)
        with pytest.raises(RunError, match="cannot be read as weights"):
            read_decoder(run, bad)
    decoder = MultiScaleDecoderConfig(bias=True).build(16, 40)
    save_file({f"decoder.{name}": x for name, x in decoder.state_dict().items()}, path)
    with pytest.raises(ModelError, match=r"its decoder is not the one of .*\n  hint: give a file of the same run"):
        read_decoder(run, path)


@pytest.mark.parametrize("kept", ["last", "best"])
def test_the_checkpoint_is_the_one_whose_weights_were_kept(kept: str, tmp_path: Path) -> None:
    card = RunCard(classes=("a",), clip=ClipSpec(), dropped_parts=("decoder",), made_with={"weights": kept})
    assert is_without_decoder(card)
    assert not is_without_decoder(card.model_copy(update={"dropped_parts": ()}))
    assert find_decoder(tmp_path, card) is None
    for name in ("last", "best"):
        (tmp_path / f"{name}.ckpt").touch()
    assert find_decoder(tmp_path, card) == tmp_path / f"{kept}.ckpt"
