"""The card of a data set: what its classes are called, how it was recorded, what mirroring does to its labels."""

from __future__ import annotations

from typing import Self

import yaml
from pydantic import Field, model_validator

from mudra.config import Config
from mudra.types import DepthFormat, Stream


class DatasetCard(Config):
    """What is true of a data set as a whole. A recording's `label` is a position in `classes`.

    Example:
        >>> card = DatasetCard(name="mine", classes=("left", "right"), mirror={"left": "right", "right": "left"})
        >>> card.mirror_index()
        [1, 0]
    """

    name: str
    """Short name, as in a config's `kind`."""
    title: str = ""
    """Name as its makers write it."""
    classes: tuple[str, ...] = Field(min_length=1)
    """Class names; the position is the label."""
    streams: tuple[Stream, ...] = (Stream.RGB,)
    """What every recording holds."""
    fps: float | None = None
    """Frames per second of the originals; None where it differs from file to file or is not known."""
    frame_size: tuple[int, int] | None = None
    """Height and width of the originals in pixels; None where they differ or are not known."""
    licence: str = ""
    """Terms of use."""
    url: str = ""
    """Where to get it."""
    citation: str = ""
    """The paper to cite."""
    idle_class: str | None = None
    """The class of a stream's frames that lie in no segment; None where nothing is known of those frames."""
    metric: str = "top1"
    """The number by which papers compare on it."""
    mirror: dict[str, str | None] = Field(default_factory=dict)
    """The class that each class becomes when the picture is mirrored; None or no entry where that is unknown."""
    counts: dict[str, int] = Field(default_factory=dict)
    """Recordings per split of the complete set; empty where there is no official count."""
    subjects_disjoint: bool = False
    """Whether no subject is in more than one split."""
    depth: DepthFormat | None = None
    """How depth levels become millimetres; None without depth."""
    remarks: tuple[str, ...] = ()
    """What else a user must know, one sentence or two each."""

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        twice = sorted({name for name in self.classes if self.classes.count(name) > 1})
        if twice:
            raise ValueError(f"classes named twice: {', '.join(twice)}")
        if self.idle_class is not None and self.idle_class not in self.classes:
            raise ValueError(f"idle_class is {self.idle_class!r}, which is no class")
        for name, other in self.mirror.items():
            unknown = {name, other} - {None, *self.classes}
            if unknown:
                raise ValueError(f"mirror names {unknown.pop()!r}, which is no class")
            if other is not None and self.mirror.get(other) != name:
                raise ValueError(f"mirror turns {name!r} into {other!r} but not {other!r} back into {name!r}")
        return self

    def mirror_index(self) -> list[int] | None:
        """Return the label that each label becomes in a mirror, or None when one of them is unknown."""
        partners = [self.mirror.get(name) for name in self.classes]
        known = [name for name in partners if name is not None]
        return [self.classes.index(name) for name in known] if len(known) == len(partners) else None

    def explain_mirror(self) -> str:
        """Return one sentence: which labels a mirror swaps, or which classes forbid mirroring.

        Example:
            >>> print(DatasetCard(name="mine", classes=("hello", "push"), mirror={"push": "push"}).explain_mirror())
            clips are not mirrored: 'hello' has no known mirror partner; name it, for example data.mirror={hello: hello}
        """
        unknown = [name for name in self.classes if self.mirror.get(name) is None]
        if unknown:
            shown = ", ".join(map(repr, unknown[:3])) + (f" and {len(unknown) - 3} more" if len(unknown) > 3 else "")
            verb, them = ("has", "it") if len(unknown) == 1 else ("have", "them")
            # As YAML writes it: a class called 001 must be quoted to stay a name.
            example = "data.mirror=" + yaml.safe_dump({unknown[0]: unknown[0]}, default_flow_style=True).strip()
            return f"clips are not mirrored: {shown} {verb} no known mirror partner; name {them}, for example {example}"
        swapped = [f"{name}/{self.mirror[name]}" for name in self.classes if name < (self.mirror[name] or "")]
        if not swapped:
            return "mirroring keeps every label"
        kept = sum(self.mirror[name] == name for name in self.classes)
        return f"mirroring swaps {', '.join(swapped)} and keeps {kept} other labels"
