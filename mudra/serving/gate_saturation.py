"""Saturation of gates: whether a recurrent cell's gates take on their extremes alone, or what lies between too.

Source: Agethen and Hsu 2019, section V-C and figure 13: the three gates and the candidate ("cell activation") of their
baselines are black and white, those of cells with a 1x1 convolution and tanh are not.
Differs: the paper shows maps alone; here histograms over many clips are beside them, and saturated are openings within
a twentieth of shut or open (candidates within a twentieth of -1 or 1).

Letters: D hidden channels, H W cells of a map.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mudra.cells import Cell
from mudra.errors import ModelError, MudraError
from mudra.serving.evaluation import OpenSources
from mudra.serving.predictor import Predictor
from mudra.types import FloatArray, Recording

QUANTITIES = ("input_gate", "forget_gate", "output_gate", "candidate")
NUM_BINS = 40
NEAR = 0.05  # of an extreme: saturated
MOST_CHANNELS = 16  # whose maps are kept for the picture


class GateUse(NamedTuple):
    """One gate, or the candidate, of one cell over many clips.

    Args:
        share_X: Share of all openings in each of 40 equal bins, from `low` to 1.
        low: The least that there can be: 0 of gates, -1 of candidates.
        saturated_fraction: Share of openings within a twentieth of an extreme.
        maps_DHW: Maps of one moment, the middle step of the first clip, of the first channels.
    """

    share_X: FloatArray
    low: float
    saturated_fraction: float
    maps_DHW: FloatArray


def find_cells(network: nn.Module) -> dict[str, Cell]:
    """Return the recurrent cells over maps by name, in the order in which they stand in the network."""
    return {name: module for name, module in network.named_modules() if isinstance(module, Cell)}


def measure_gates(
    predictor: Predictor, recordings: Sequence[Recording], *, open_sources: OpenSources, layer: int = 1
) -> dict[str, GateUse]:
    """Return how the gates of one cell are used, by name.

    Args:
        predictor: The run.
        recordings: Clips to look at; those that cannot be read are left out.
        open_sources: Opens a recording's streams.
        layer: Which recurrent cell, from 1 on.

    Raises:
        ModelError: If the network has no such cell, or none of the clips can be read.
    """
    cells = list(find_cells(predictor.network).values())
    if not 1 <= layer <= len(cells):
        raise ModelError(
            f"cell {layer} was asked for; the network has {len(cells)} recurrent cells over maps",
            hint=f"take 1 to {len(cells)}" if cells else "compare networks with ConvLSTM cells",
        )
    tallies: dict[str, _Tally] = {}
    for recording in recordings:
        steps: list[dict[str, Tensor]] = []
        try:
            with ExitStack() as stack:
                views = predictor.read_views(
                    open_sources(recording, stack), span_s=(recording.start_s, recording.end_s)
                )
                stack.callback(cells[layer - 1].register_forward_pre_hook(partial(_keep_step, steps)).remove)
                with torch.no_grad():
                    predictor.network(views.clips[0].clip_TCHW[None].to(predictor.device))
        except MudraError:
            continue
        for name in QUANTITIES:
            if name in steps[0]:
                tallies.setdefault(name, _Tally(name)).add([step[name][0] for step in steps])
    if not tallies:
        raise ModelError("no clip could be read, or the cell tells of no gates", hint="look at other clips or runs")
    return {name: tally.result() for name, tally in tallies.items()}


def write_gates(path: Path, uses: Mapping[str, Mapping[str, GateUse]]) -> Path:
    """Write a table: a line for each run, gate and bin.

    Args:
        path: The file.
        uses: By name of the run, then of the gate.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["run", "gate", "from", "to", "share", "saturated_fraction"])
        for run, gates in uses.items():
            for name, use in gates.items():
                edges = np.linspace(use.low, 1.0, NUM_BINS + 1)
                for low, high, share in zip(edges[:-1], edges[1:], use.share_X, strict=True):
                    told = (f"{low:.6g}", f"{high:.6g}", f"{share:.6g}", f"{use.saturated_fraction:.6g}")
                    table.writerow([run, name, *told])
    return path


class _Tally:
    """Counts the openings of one gate, clip by clip."""

    def __init__(self, name: str) -> None:
        self.low = -1.0 if name == "candidate" else 0.0
        self.count_X = np.zeros(NUM_BINS)
        self.num_saturated = 0
        self.maps_DHW: FloatArray | None = None

    def add(self, steps: list[Tensor]) -> None:
        """Add the openings of all steps of one clip, each of shape (D, H, W)."""
        if self.maps_DHW is None:
            middle_DHW = steps[len(steps) // 2][:MOST_CHANNELS]
            self.maps_DHW = np.asarray(middle_DHW.double().cpu().numpy())
        opening = torch.stack(steps).double().cpu().numpy()
        self.count_X += np.histogram(opening.clip(self.low, 1.0), NUM_BINS, range=(self.low, 1.0))[0]
        self.num_saturated += int(((opening < self.low + NEAR) | (opening > 1.0 - NEAR)).sum())

    def result(self) -> GateUse:
        assert self.maps_DHW is not None
        total = self.count_X.sum()
        return GateUse(self.count_X / total, self.low, float(self.num_saturated / total), self.maps_DHW)


def _keep_step(steps: list[dict[str, Tensor]], cell: nn.Module, step: tuple[Any, ...]) -> None:
    assert isinstance(cell, Cell)
    steps.append(cell.inspect(*step))
