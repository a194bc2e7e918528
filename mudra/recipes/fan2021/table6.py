"""Fan et al. 2021, Table VI: each decoder alone, at several weights of its loss; the classes' is 1.

Paper: Multi-Task and Multi-Modal Learning for RGB Dynamic Gesture Recognition, IEEE Sensors Journal 2021.
Data:  EgoGesture (`data=egogesture`). The NVGesture column: as in Table IV.
Run:   mudra train fan2021/table6/local_1 data=egogesture data.root=egogesture
Cost:  not yet run. Without training: mudra cost fan2021/table6/local_1
Differs from the paper: masks are judged by the mean error over measured pixels, where equations 4 and 5 print a sum
    (`mask_loss.reduction`); the ten test clips are drawn alike for every recording; the hue turns about the grey
    axis. The baseline is `table1/action`, the last row `table1/msd`.
"""

from __future__ import annotations

from mudra.heads import MultiScaleDecoderConfig
from mudra.recipes.fan2021.protocol import ACTION, make_network, train_on_egogesture
from mudra.recipes.registry import Expected, row
from mudra.scoring import MaskLossConfig
from mudra.training import RunConfig

LOCAL = MultiScaleDecoderConfig(global_scale="none")
GLOBAL = MultiScaleDecoderConfig(local_scale="none")


def _weigh(decoder: MultiScaleDecoderConfig, loss: MaskLossConfig) -> RunConfig:
    return train_on_egogesture(make_network(ACTION, decoder)).model_copy(update={"mask_loss": loss})


@row(
    source="Table VI, row 2",
    paper=(
        Expected("top1", 0.943, "EgoGesture test"),
        Expected("top1", 0.811, "NVGesture test"),
    ),
)
def local_01() -> RunConfig:
    """The local decoder alone, 1 : 0.1."""
    return _weigh(LOCAL, MaskLossConfig(local_weight=0.1))


@row(
    source="Table VI, row 3",
    paper=(
        Expected("top1", 0.944, "EgoGesture test"),
        Expected("top1", 0.823, "NVGesture test"),
    ),
)
def local_1() -> RunConfig:
    """The local decoder alone, 1 : 1."""
    return _weigh(LOCAL, MaskLossConfig(local_weight=1.0))


@row(
    source="Table VI, row 4",
    paper=(
        Expected("top1", 0.941, "EgoGesture test"),
        Expected("top1", 0.803, "NVGesture test"),
    ),
)
def global_1() -> RunConfig:
    """The global decoder alone, 1 : 1."""
    return _weigh(GLOBAL, MaskLossConfig(global_weight=1.0))


@row(
    source="Table VI, row 5",
    paper=(
        Expected("top1", 0.942, "EgoGesture test"),
        Expected("top1", 0.805, "NVGesture test"),
    ),
)
def global_01() -> RunConfig:
    """The global decoder alone, 1 : 0.1."""
    return _weigh(GLOBAL, MaskLossConfig(global_weight=0.1))


@row(
    source="Table VI, row 6",
    paper=(
        Expected("top1", 0.943, "EgoGesture test"),
        Expected("top1", 0.824, "NVGesture test"),
    ),
)
def global_001() -> RunConfig:
    """The global decoder alone, 1 : 0.01."""
    return _weigh(GLOBAL, MaskLossConfig(global_weight=0.01))
