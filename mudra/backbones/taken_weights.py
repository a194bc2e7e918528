"""Which weights a network took over from elsewhere, and which it did not: told in a few lines, listed in full.

A line for each tensor that was not taken: new ones keep their fresh values, others the network has no place for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

NUM_SHOWN = 6  # tensors of each sort that are told one by one


class TakenWeights(NamedTuple):
    """Which weights a network took over.

    Args:
        source: Where they come from: the setting that names it, and the run folder, file or name.
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

    def explain(self, *, listed_in: Path | None = None) -> list[str]:
        """Return a few lines: how many weights were taken, how many were not, and which.

        Args:
            listed_in: The file that holds all of them, where long lists are cut; None cuts none.
        """
        named = {"new": self.fresh, "not used": self.unused}
        counts = [f"{len(self.taken)} of {len(self.taken) + len(self.fresh)} tensors taken"]
        counts += [f"{len(lines)} {sort}" for sort, lines in named.items() if lines]
        told = [f"{self.source}: {', '.join(counts)}; {self.share:.1%} of all numbers"]
        for sort, lines in named.items():
            shown = lines if listed_in is None else lines[:NUM_SHOWN]
            told += [f"{sort}: {line}" for line in shown]
            if len(lines) > len(shown):
                told.append(f"{sort}: ... and {len(lines) - len(shown)} more, all in {listed_in}")
        return told


def compare_weights(
    source: str, taken: Collection[str], ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]
) -> TakenWeights:
    """Return what a network takes over.

    Args:
        source: Where it comes from.
        taken: Names of what is taken.
        ours: The network's own weights.
        theirs: All weights of the source, under our names.

    Example:
        >>> import torch
        >>> one, two = torch.zeros(1), torch.zeros(2, 3)
        >>> found = compare_weights("init_from a.pt", ["a"], {"a": one, "b": two}, {"a": one, "b": one, "c": two})
        >>> found.fresh, found.unused, found.share
        (('b 2x3, there 1',), ('c 2x3',), 0.14285714285714285)
    """
    taken = dict.fromkeys(taken)  # in order, and quick to look up
    num_taken = sum(ours[name].numel() for name in taken)
    return TakenWeights(
        source=source,
        taken=tuple(taken),
        fresh=tuple(compare_shapes(name, value, theirs) for name, value in ours.items() if name not in taken),
        unused=tuple(f"{name} {_shape(value)}" for name, value in theirs.items() if name not in ours),
        share=num_taken / max(1, sum(value.numel() for value in ours.values())),
    )


def compare_shapes(name: str, value: Tensor, theirs: Mapping[str, Tensor]) -> str:
    """Return a weight's name and shape, and the shape that it has elsewhere."""
    there = f"there {_shape(theirs[name])}" if name in theirs else "not there"
    return f"{name} {_shape(value)}, {there}"


def _shape(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "number"
