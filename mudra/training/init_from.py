"""Fine-tuning: a network starts from the weights of another run, as far as they fit by name and shape.

What does not fit keeps its fresh values: the head, where the data set has another number of classes; the first
convolution, where the clip has other channels.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mudra.clips import RunCard
from mudra.errors import ModelError, RunError
from mudra.models import FrameWiseNet, GestureNet, RecurrentFrameNet

WEIGHTS_NAME = "weights.safetensors"
# Where programs put the weights inside a checkpoint, and what they put before every name.
CHECKPOINT_KEYS = ("state_dict", "model_state_dict", "model")
PREFIXES = ("network.", "module.", "model.")
NUM_SHOWN = 6  # weights that are named one by one


class TakenWeights(NamedTuple):
    """Which weights a network took over.

    Args:
        source: The run folder or file.
        taken: Names of those that it took.
        fresh: Those of the network that kept their fresh values, each with the reason.
        unused: Those of the source that the network has no place for, each with its shape.
        share: Taken numbers as a fraction of all numbers of the network.
    """

    source: str
    taken: tuple[str, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]
    share: float

    def explain(self) -> list[str]:
        """Return a few lines: how many weights were taken, and which were not."""
        count = f"{len(self.taken)} of {len(self.taken) + len(self.fresh)} tensors taken"
        lines = [f"init_from {self.source}: {count}, {self.share:.1%} of all numbers"]
        lines += [f"new: {line}" for line in _shorten(self.fresh)]
        return lines + [f"not used: {line}" for line in _shorten(self.unused)]


def take_weights(network: nn.Module, source: Path | str) -> TakenWeights:
    """Load all weights of `source` that fit a network, in place.

    Args:
        network: The network.
        source: A run folder, or a file of weights: `.safetensors`, or what `torch.save` writes.

    Raises:
        RunError: If the folder is no finished run, or the file is missing or cannot be read.
        ModelError: If no weight fits.
    """
    source = Path(source)
    theirs, ours = read_weights(source), network.state_dict()
    if isinstance(network, GestureNet | RecurrentFrameNet):
        theirs = network.name_as_ours(theirs)
    fitting = {name: value for name, value in theirs.items() if name in ours and ours[name].shape == value.shape}
    if not any(name in fitting for name, _ in network.named_parameters()):
        # Counters and running means alone would leave nothing of what was learned.
        _refuse(source, ours, theirs)
    network.load_state_dict(fitting, strict=False)
    num_taken = sum(ours[name].numel() for name in fitting)
    return TakenWeights(
        source=str(source),
        taken=tuple(fitting),
        fresh=tuple(_compare(name, value, theirs) for name, value in ours.items() if name not in fitting),
        unused=tuple(f"{name} {_shape(value)}" for name, value in theirs.items() if name not in ours),
        share=num_taken / max(1, sum(value.numel() for value in ours.values())),
    )


def start_from(source: Path | None, network: nn.Module, *, tell: Callable[[str], None]) -> list[str]:
    """Take over the weights of `source`, if there is one, and return the lines that were told about them.

    Published weights that the model's own config names are loaded before.

    Raises:
        RunError: As `take_weights`.
        ModelError: As `take_weights`, or the published weights cannot be had.
    """
    if isinstance(network, GestureNet | FrameWiseNet | RecurrentFrameNet):
        network.load_pretrained()
    lines = [] if source is None else take_weights(network, source).explain()
    for line in lines:
        tell(line)
    return lines


def read_origin(run: Path) -> list[str]:
    """Return what was told of the weights that a run started from, after its card; nothing if it has none yet."""
    try:
        card = RunCard.model_validate_json((run / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [str(line) for line in card.made_with.get("init_from", [])]


def read_weights(source: Path) -> dict[str, Tensor]:
    """Return the weights of a run folder or a file by their names; wrappers around the network are taken off.

    Raises:
        RunError: If the folder is no finished run, or the file is missing or cannot be read.
    """
    if source.is_dir():
        if not (source / WEIGHTS_NAME).is_file():
            there = ", ".join(sorted(path.name for path in source.iterdir())[:8]) or "nothing"
            raise RunError(
                f"init_from: {source} is no finished run, {WEIGHTS_NAME} is missing (there: {there})",
                hint="name the folder that `mudra train` wrote, the one given as --out, or a file of weights",
            )
        source = source / WEIGHTS_NAME
    if not source.is_file():
        raise RunError(
            f"init_from: no such file or folder: {source.absolute()}", hint="name a run folder or a file of weights"
        )
    try:
        if source.suffix == ".safetensors":
            return _unwrap(load_file(source))
        # Tensors and plain values only: the file cannot run code.
        return _unwrap(torch.load(source, map_location="cpu", weights_only=True))
    except (SafetensorError, pickle.UnpicklingError, OSError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunError(
            f"init_from: {source} cannot be read as weights ({reason})",
            hint="wanted .safetensors, or a state_dict written by torch.save",
        ) from None


def _unwrap(loaded: Any) -> dict[str, Tensor]:
    for key in CHECKPOINT_KEYS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping):
        raise ValueError(f"holds {type(loaded).__name__}, wanted tensors by name")
    weights = {str(name): value for name, value in loaded.items() if isinstance(value, Tensor)}
    if not weights:
        raise ValueError("holds no tensors by name")
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in weights):
            weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    return weights


def _refuse(source: Path, ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    common = [name for name in ours if name in theirs and ours[name].ndim > 0]
    if common:
        why = f"shapes differ: {'; '.join(_compare(name, ours[name], theirs) for name in common[:2])}"
    else:
        why = f"no name in common: the network has {next(iter(ours), 'none')}, the source {next(iter(theirs))}"
    raise ModelError(
        f"init_from: none of the {len(theirs)} weights of {source} fits the network; {why}",
        hint="give the model of that run: its run.yaml says which",
    )


def _compare(name: str, value: Tensor, theirs: Mapping[str, Tensor]) -> str:
    there = f"there {_shape(theirs[name])}" if name in theirs else "not there"
    return f"{name} {_shape(value)}, {there}"


def _shape(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "number"


def _shorten(lines: Sequence[str]) -> list[str]:
    rest = len(lines) - NUM_SHOWN
    return [*lines[:NUM_SHOWN], *([f"... and {rest} more"] if rest > 0 else [])]
