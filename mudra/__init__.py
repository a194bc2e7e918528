"""Mudra: gestures and actions in video, recognised as they unfold in time.

    import mudra
    mudra.load("runs/mine").predict("hand.mp4").label

Names are imported when they are first used, so that `import mudra` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mudra.cells import ConvLSTMCell as ConvLSTMCell
    from mudra.cells import GatedConvLSTMCell as GatedConvLSTMCell
    from mudra.cells import unroll as unroll
    from mudra.clips import ClipMaker as ClipMaker
    from mudra.clips import ClipSpec as ClipSpec
    from mudra.datasets import Dataset as Dataset
    from mudra.datasets import read_folder as read_folder
    from mudra.datasets import read_shrec2017 as read_shrec2017
    from mudra.datasets import read_table as read_table
    from mudra.errors import MudraError as MudraError
    from mudra.models import GestureNet as GestureNet
    from mudra.models import measure_complexity as measure_complexity
    from mudra.recipes import find_recipe as find_recipe
    from mudra.serving import Predictor as Predictor
    from mudra.serving import Segmenter as Segmenter
    from mudra.serving import load as load
    from mudra.serving import load_segmenter as load_segmenter
    from mudra.training import RunConfig as RunConfig
    from mudra.training import train as train
    from mudra.types import Frames as Frames
    from mudra.types import Prediction as Prediction
    from mudra.types import Recording as Recording
    from mudra.types import Stream as Stream
    from mudra.video import open_camera as open_camera
    from mudra.video import open_frames as open_frames
    from mudra.video import open_video as open_video
    from mudra.video import write_depth as write_depth
    from mudra.video import write_video as write_video

_HOMES = {
    "cells": ("ConvLSTMCell", "GatedConvLSTMCell", "unroll"),
    "clips": ("ClipMaker", "ClipSpec"),
    "datasets": ("Dataset", "read_folder", "read_shrec2017", "read_table"),
    "errors": ("MudraError",),
    "models": ("GestureNet", "measure_complexity"),
    "recipes": ("find_recipe",),
    "serving": ("Predictor", "Segmenter", "load", "load_segmenter"),
    "training": ("RunConfig", "train"),
    "types": ("Frames", "Prediction", "Recording", "Stream"),
    "video": ("open_camera", "open_frames", "open_video", "write_depth", "write_video"),
}
_HOME_OF = {name: room for room, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF, key=str.lower)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'mudra' has no attribute {name!r}")
    return getattr(importlib.import_module(f"mudra.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
