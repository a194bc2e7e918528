"""The card that a run folder carries: what anyone needs to know to use its weights, and nothing else."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from mudra.clips.spec import ClipSpec
from mudra.config import Config
from mudra.types import DepthFormat, Stream


class RunCard(Config):
    """How to feed the weights of a run, and what their answers mean."""

    classes: Annotated[tuple[str, ...], Field(min_length=1)]
    """Class names; the position is the label."""
    idle_class: str | None = None
    """The class that says that no gesture is shown; None where every class is one."""
    clip: ClipSpec
    """How frames become clips."""
    depth: DepthFormat = DepthFormat()
    """How depth levels became millimetres in training; used where a recording says nothing itself."""
    flow_from: Stream = Stream.RGB
    """What flow was computed from, for a run that sees flow alone."""
    fps: float | None = None
    """Frame rate of the training recordings; None where they differ."""
    dropped_parts: tuple[str, ...] = ()
    """Parts of run.yaml's network that training alone used, and that the weights are without."""
    causal: bool = False
    """Whether frames come in one by one, and no answer waits for more of them than the network's fixed delay."""
    boxed: bool = False
    """Whether recordings were seen through a box of their own in training, as around a person."""
    dataset: str = ""
    """Name of the data set."""
    recipe: str = ""
    """The recipe that the run was made from."""
    parameters: int = 0
    """Trainable parameters."""
    macs_per_clip: int = 0
    """Multiply-accumulates for one clip."""
    epochs: int = 0
    """Epochs that were finished."""
    seed: int = 0
    """Seed of the run."""
    metrics: dict[str, float] = {}  # noqa: RUF012  pydantic copies defaults
    """What the last validation gave."""
    left_out: tuple[str, ...] = ()
    """Damaged recordings that training left out, with the reason, and how many listed ones were missing."""
    made_with: dict[str, Any] = {}  # noqa: RUF012
    """Versions, machine, date and duration."""
