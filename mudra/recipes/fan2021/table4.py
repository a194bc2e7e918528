"""Fan et al. 2021, Table IV: the multi-scale decoder on other networks.

Paper: Multi-Task and Multi-Modal Learning for RGB Dynamic Gesture Recognition, IEEE Sensors Journal 2021.
Data:  EgoGesture (`data=egogesture`). The NVGesture column: `model.num_classes=25`, the epochs and
    drops of Table II, and init_from.
Run:   mudra train fan2021/table4/tsm_msd data=egogesture data.root=egogesture
Cost:  not yet run. Without training: mudra cost fan2021/table4/tea_msd
Differs from the paper: masks are judged by the mean error over measured pixels, where equations 4 and 5 print a sum
    (`mask_loss.reduction`); the ten test clips are drawn alike for every recording; the hue turns about the grey
    axis.
"""

from __future__ import annotations

from mudra.recipes.fan2021.protocol import MSD, TEA, TSM, make_network, train_on_egogesture
from mudra.recipes.registry import Expected, row
from mudra.training import RunConfig


@row(
    source="Table IV, row 2",
    paper=(
        Expected("top1", 0.937, "EgoGesture test"),
        Expected("top1", 0.819, "NVGesture test"),
    ),
)
def tsm_msd() -> RunConfig:
    """TSM with the multi-scale decoder in training."""
    return train_on_egogesture(make_network(TSM, MSD))


@row(
    source="Table IV, row 4",
    paper=(
        Expected("top1", 0.942, "EgoGesture test"),
        Expected("top1", 0.822, "NVGesture test"),
    ),
)
def tea_msd() -> RunConfig:
    """TEA with the multi-scale decoder in training."""
    return train_on_egogesture(make_network(TEA, MSD))
