"""The decoder of a run that was saved without it, from a file that still has it."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import Tensor, nn

from mudra.clips import RunCard
from mudra.errors import ModelError, RunError
from mudra.heads import MultiScaleDecoder, MultiScaleDecoderConfig

PART = "decoder"  # its name in a network, and in a card's list of parts that the weights are without
PREFIXES = ("network.decoder.", "decoder.")  # in a checkpoint of training, and in a run's weights


def is_without_decoder(card: RunCard) -> bool:
    """Whether a run learned depth and was saved without what learned it."""
    return PART in card.dropped_parts


def find_decoder(run: Path, card: RunCard) -> Path | None:
    """Return the checkpoint that the run's own weights were taken from, if it is there still.

    Args:
        run: The run folder.
        card: Its card, which says whether the last epoch's weights were kept, or the best one's.
    """
    kept = "best" if card.made_with.get("weights") == "best" else "last"
    path = run / f"{kept}.ckpt"
    return path if path.is_file() else None


def read_decoder(run: Path, weights: Path) -> nn.Module:
    """Return the decoder that run.yaml describes, with weights that stand elsewhere.

    Args:
        run: The run folder, whose own weights are without the decoder.
        weights: A checkpoint of its training (`last.ckpt`), or the weights of a run that kept it.

    Raises:
        RunError: If run.yaml has no decoder, or the file is missing, damaged or without one.
        ModelError: If the weights do not fit it.
    """
    try:
        told = yaml.safe_load((run / "run.yaml").read_text(encoding="utf-8"))["model"]["decoder"]
        config = MultiScaleDecoderConfig.model_validate(told)
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValidationError):
        raise RunError(f"{run}: run.yaml has no decoder", hint="explain the run without --decoder") from None
    found = _decoder_weights(weights)
    try:
        decoder = _build_for(config, found)
        decoder.load_state_dict(found)
    except (RuntimeError, IndexError):
        raise ModelError(
            f"{weights}: its decoder is not the one of {run / 'run.yaml'}", hint="give a file of the same run"
        ) from None
    return decoder


def _build_for(config: MultiScaleDecoderConfig, weights: dict[str, Tensor]) -> MultiScaleDecoder:
    """Build a decoder for as many channels as the first layers of the weights take."""
    channels = {"local": 1, "global": 1}
    for half in channels:
        first = weights.get(f"{half}_decoder.0.weight")
        if first is not None:
            is_transposed = half == "global" or config.local_scale == "full"
            channels[half] = int(first.shape[0 if is_transposed else 1])
    return config.build(channels["local"], channels["global"])


def _decoder_weights(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            weights = load_file(path)
        else:
            weights = torch.load(path, map_location="cpu", weights_only=True)
            weights = weights.get("state_dict", weights)
        for prefix in PREFIXES:
            found = {name.removeprefix(prefix): x for name, x in weights.items() if name.startswith(prefix)}
            if found:
                return found
    except Exception as error:  # damaged files raise whatever the byte that comes next suggests
        raise RunError(f"{path}: cannot be read as weights ({type(error).__name__})") from None
    raise RunError(f"{path}: holds no decoder", hint="give last.ckpt of a run that learned depth")
