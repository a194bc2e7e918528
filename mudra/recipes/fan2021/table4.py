"""Fan et al. 2021, Table IV: the multi-scale decoder on other networks.

Paper: Multi-Task and Multi-Modal Learning for RGB Dynamic Gesture Recognition, IEEE Sensors Journal 2021.
Data:  EgoGesture as a folder of clips (`data=folder`). The NVGesture column: `model.num_classes=25`, the epochs and
    drops of Table II, and init_from.
Run:   mudra train fan2021/table4/tsm_msd data=folder data.root=egogesture
Cost:  not yet run. Without training: mudra cost fan2021/table4/tea_msd
Differs from the paper: crops are enlarged by 1 to 1.5 about the middle, instead of by one of four scales at a
    corner; test crops have 224 pixels, not 256; all layers learn at one rate, where the released code has several.
    Training on depth needs pairs of colour and depth; without them a model with a decoder is counted, judged and
    run, not trained.
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
