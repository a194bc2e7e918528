"""Fine-tuning: a network starts from the weights of another run, as far as they fit by name and shape.

What does not fit keeps its fresh values: the head, where the data set has another number of classes; the first
convolution, where the clip has other channels. A run folder's `first_weights.txt` names every tensor that was not
taken, from another run or from published weights.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mudra.backbones import PublishedBackbone
from mudra.backbones.taken_weights import TakenWeights, compare_shapes, compare_weights
from mudra.clips import RunCard
from mudra.errors import ModelError, RunError
from mudra.models import FrameWiseNet, GestureNet, RecurrentFrameNet

WEIGHTS_NAME = "weights.safetensors"
LIST_NAME = "first_weights.txt"
# Where programs put the weights inside a checkpoint, and what they put before every name.
CHECKPOINT_KEYS = ("state_dict", "model_state_dict", "model")
PREFIXES = ("network.", "module.", "model.")


class Origin(NamedTuple):
    """Which weights a run started from.

    Args:
        told: The lines that were told.
        listed: A line for every tensor that was not taken, under a line for each source; nothing without a source.
    """

    told: list[str]
    listed: list[str]

    def write(self, run: Path) -> None:
        """Write the list into a run folder, if there is anything on it."""
        if self.listed:
            (run / LIST_NAME).write_text("\n".join(self.listed) + "\n", encoding="utf-8")


def take_weights(network: nn.Module, source: Path | str) -> TakenWeights:
    """Load all weights of `source` that fit a network, in place.

    Args:
        network: The network.
        source: A run folder, or a file of weights: `.safetensors`, or what `torch.save` writes.

    Raises:
        RunError: If the folder is no finished run, or the file is missing or cannot be read.
        ModelError: If no weight fits; its notes name them all.
    """
    source = Path(source)
    theirs, ours = read_weights(source), network.state_dict()
    if isinstance(network, GestureNet | RecurrentFrameNet):
        theirs = network.name_as_ours(theirs)
    fitting = {name: value for name, value in theirs.items() if name in ours and ours[name].shape == value.shape}
    if not any(name in fitting for name, _ in network.named_parameters()):
        # Counters and running means alone would leave nothing of what was learned.
        _refuse(source, ours, theirs)
    taken = compare_weights(f"init_from {source}", tuple(fitting), ours, theirs)
    network.load_state_dict(fitting, strict=False)
    return taken


def start_from(
    source: Path | None, network: nn.Module, *, tell: Callable[[str], None], out: Path | None = None
) -> Origin:
    """Take over the weights of `source`, if there is one.

    Published weights that the model's own config names are loaded before.

    Args:
        source: A run folder or a file, or None.
        network: The network.
        tell: Prints a line.
        out: The run folder that `Origin.write` will write to, where lines may be cut; None tells every tensor.

    Raises:
        RunError: As `take_weights`.
        ModelError: As `take_weights`, or the published weights cannot be had; a file of all names is made, if there are
            more than the message has.
    """
    found: list[TakenWeights] = []
    with _listing_misfits():
        if isinstance(network, GestureNet | FrameWiseNet | RecurrentFrameNet):
            network.load_pretrained()
            if isinstance(network.backbone, PublishedBackbone) and network.backbone.taken is not None:
                found.append(network.backbone.taken)
        if source is not None:
            found.append(take_weights(network, source))
    listed_in = None if out is None else out / LIST_NAME
    told = [line for taken in found for line in taken.explain(listed_in=listed_in)]
    for line in told:
        tell(line)
    return Origin(told, [line for taken in found for line in taken.explain()])


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
        # What PyTorch says of a file that is not its own advises to run the code in it.
        is_told = bool(str(error)) and not isinstance(error, pickle.UnpicklingError)
        reason = str(error).splitlines()[0] if is_told else type(error).__name__
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
        why = f"shapes differ: {'; '.join(compare_shapes(name, ours[name], theirs) for name in common[:2])}"
    else:
        why = f"no name in common: the network has {next(iter(ours), 'none')}, the source {next(iter(theirs))}"
    error = ModelError(
        f"init_from: none of the {len(theirs)} weights of {source} fits the network; {why}",
        hint="give the model of that run: its run.yaml says which",
    )
    for line in compare_weights(f"init_from {source}", (), ours, theirs).explain()[1:]:
        error.add_note(line)
    raise error


@contextmanager
def _listing_misfits() -> Iterator[None]:
    """Write names of weights that do not fit, where a message has not all, to a file: there will be no run folder."""
    try:
        yield
    except ModelError as error:
        notes: list[str] = getattr(error, "__notes__", [])
        if all(note.partition(": ")[2] in error.message for note in notes):
            raise
        with tempfile.NamedTemporaryFile("w", prefix="mudra_weights_", suffix=".txt", delete=False) as file:
            file.write("\n".join(notes) + "\n")
        raise ModelError(error.message, hint=f"{error.hint}; all {len(notes)} names: {file.name}") from None
