"""Fan et al. 2021, Table VIII: depth that is binarised at level 10 before it is learned.

Paper: Multi-Task and Multi-Modal Learning for RGB Dynamic Gesture Recognition, IEEE Sensors Journal 2021.
Data:  as Tables I to III.
Run:   mudra train fan2021/table8/binarised_isogd data=isogd data.root=isogd init_from=runs/ego
Cost:  not yet run. Without training: mudra cost fan2021/table8/binarised
Differs from the paper: masks are judged by the mean error over pixels, where equations 4 and 5 print a sum
    (`mask_loss.reduction`); the ten test clips are drawn alike for every recording; the hue turns about the grey
    axis; IsoGD's pixels without a measurement are level 0, and dark, where they are left out in Table III: nearly all
    others are bright. The rows above are those of Tables I to III once more.
"""

from __future__ import annotations

from mudra.recipes.fan2021 import table1, table2, table3
from mudra.recipes.fan2021.protocol import (
    ACTION,
    MSD,
    make_network,
    train_on_egogesture,
    train_on_isogd,
    train_on_nvgesture,
)
from mudra.recipes.registry import Expected, row
from mudra.scoring import MaskLossConfig
from mudra.training import RunConfig

BINARISED = {"mask_loss": MaskLossConfig(threshold_level=10.0)}
NETWORK = make_network(ACTION, MSD)


@row(source="Table VIII, row 1", paper=(Expected("top1", 0.942, "EgoGesture test"),))
def action() -> RunConfig:
    """ACTION, on EgoGesture."""
    return table1.action()


@row(source="Table VIII, row 1", paper=(Expected("top1", 0.807, "NVGesture test"),))
def action_nvgesture() -> RunConfig:
    """ACTION, on NVGesture."""
    return table2.action()


@row(source="Table VIII, row 1", paper=(Expected("top1", 0.650, "IsoGD validation"),))
def action_isogd() -> RunConfig:
    """ACTION, on IsoGD."""
    return table3.action()


@row(source="Table VIII, row 2", paper=(Expected("top1", 0.945, "EgoGesture test"),))
def msd() -> RunConfig:
    """ACTION with the multi-scale decoder in training, on EgoGesture."""
    return table1.msd()


@row(source="Table VIII, row 2", paper=(Expected("top1", 0.840, "NVGesture test"),))
def msd_nvgesture() -> RunConfig:
    """ACTION with the multi-scale decoder in training, on NVGesture."""
    return table2.msd()


@row(source="Table VIII, row 2", paper=(Expected("top1", 0.669, "IsoGD validation"),))
def msd_isogd() -> RunConfig:
    """ACTION with the multi-scale decoder in training, on IsoGD."""
    return table3.msd()


@row(source="Table VIII, row 3", paper=(Expected("top1", 0.945, "EgoGesture test"),))
def binarised() -> RunConfig:
    """ACTION with the decoder, binarised depth, on EgoGesture."""
    return train_on_egogesture(NETWORK).model_copy(update=BINARISED)


@row(source="Table VIII, row 3", paper=(Expected("top1", 0.840, "NVGesture test"),))
def binarised_nvgesture() -> RunConfig:
    """ACTION with the decoder, binarised depth, on NVGesture."""
    return train_on_nvgesture(NETWORK).model_copy(update=BINARISED)


@row(source="Table VIII, row 3", paper=(Expected("top1", 0.654, "IsoGD validation"),))
def binarised_isogd() -> RunConfig:
    """ACTION with the decoder, binarised depth, on IsoGD."""
    return train_on_isogd(NETWORK, missing="zero").model_copy(update=BINARISED)
