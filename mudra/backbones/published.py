"""Published weights: read by name from torchvision or a file, and loaded where they fit.

Files may hold the network alone or what a training program wrapped around it; see `bare_names`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torchvision
from safetensors.torch import load_file
from torch import Tensor

from mudra.errors import ModelError

IMAGENET = "imagenet"
# Where training programs put the weights inside a checkpoint, and what they put before every name.
CHECKPOINT_KEYS = ("state_dict", "model_state_dict", "model")
WRAPPERS = ("module.", "network.", "backbone.", "base_model.")


def read_published(source: str, torchvision_weights: str | None) -> dict[str, Tensor]:
    """Return weights by name.

    Args:
        source: `imagenet`, or a file of weights (.pth, .pt, .safetensors).
        torchvision_weights: What torchvision calls the weights that `imagenet` stands for; None if it has none.

    Raises:
        ModelError: If the file is missing or damaged or holds no weights, or `imagenet` stands for nothing here or
            cannot be fetched.
    """
    if source == IMAGENET:
        if torchvision_weights is None:
            raise ModelError(f"{IMAGENET!r}: torchvision has no weights of this network", hint="give a file of weights")
        published = torchvision.models.get_weight(torchvision_weights)
        try:
            weights: dict[str, Tensor] = published.get_state_dict(progress=False, check_hash=True)
        except (OSError, RuntimeError) as error:  # no network; or what came is not what was published
            hint = "fetch that file elsewhere and name it: model.backbone.pretrained=FILE"
            raise ModelError(f"{published.url}: cannot be fetched ({error})", hint=hint) from None
        return weights
    path = Path(source)
    try:
        found = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except FileNotFoundError:
        hint = f"give a file of weights, or {IMAGENET!r} for torchvision's own"
        raise ModelError(f"{path}: no such file of weights", hint=hint) from None
    except Exception as error:  # a damaged file is refused by pickle, zip, torch or safetensors, each in its own way
        raise ModelError(
            f"{path}: not a file of weights ({type(error).__name__})",
            hint="wanted .safetensors, or a state_dict written by torch.save",
        ) from None
    return _unwrap(found, path)


def bare_names(weights: Mapping[str, Tensor], known: Callable[[str], bool]) -> dict[str, Tensor]:
    """Return weights without what wrapping programs put before the names, as far as the rest is `known`.

    Example:
        >>> bare = bare_names({"module.base_model.conv1.weight": 1, "module.fc": 2}, lambda n: n.startswith("conv1"))
        >>> bare
        {'conv1.weight': 1, 'module.fc': 2}
    """
    return {_bare(name, known): value for name, value in weights.items()}


def check_fit(
    weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor], complaint: str, *, fresh: set[str], names: str
) -> None:
    """Refuse weights that are missing, unknown, or of another shape.

    Args:
        weights: What was found.
        wanted: The network's own.
        complaint: What the message begins with.
        fresh: Names that may be missing.
        names: How the wanted names look, for the hint.

    Raises:
        ModelError: If they do not fit; the message names the first of each sort, and the error's notes name all.
    """
    # Older files do not count the batches that their statistics were taken over; PyTorch does without.
    needed = [name for name in wanted if not name.endswith("num_batches_tracked") and name not in fresh]
    missing = [name for name in needed if name not in weights]
    unknown = [name for name in weights if name not in wanted]
    reshaped = [name for name in weights if name in wanted and weights[name].shape != wanted[name].shape]
    wrong = missing + reshaped + unknown
    if wrong:
        kinds = {"missing": missing, "of another shape": reshaped, "unknown": unknown}
        listed = "; ".join(f"{len(names)} {kind}: {_shorten(names)}" for kind, names in kinds.items() if names)
        error = ModelError(
            f"{complaint}: {len(wrong)} missing, unknown or of another shape ({listed})",
            hint=f"wanted: a state dict with {names}",
        )
        for kind, names_of_kind in kinds.items():
            for name in names_of_kind:
                error.add_note(f"{kind}: {name}")
        raise error


def _unwrap(found: Any, path: Path) -> dict[str, Tensor]:
    for key in CHECKPOINT_KEYS:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise ModelError(f"{path}: holds no weights by name", hint="save network.state_dict()")
    return found


def _bare(name: str, known: Callable[[str], bool]) -> str:
    bare = name
    while not known(bare):
        prefix = next((wrapper for wrapper in WRAPPERS if bare.startswith(wrapper)), None)
        if prefix is None:
            return name
        bare = bare.removeprefix(prefix)
    return bare


def _shorten(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
