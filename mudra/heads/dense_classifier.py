"""Dense classifier: a small fixed grid of features, flattened, then dense layers.

Source: Tran et al. 2015, arXiv:1412.0767, section 3.3 (C3D's fc6, fc7 and fc8 on 1x4x4 cells); without hidden layers,
the head of Zhang et al. 2017 (ICCV 2017, 3DCNN + ConvLSTM), which averages over time and keeps 4x4 cells.
Differs: maps of another size are averaged down (or repeated up) to the grid, so that clips of any length and size can
be taken; at the papers' size that changes nothing. Zhang et al. 2017's code drops weights of its last layer, not
features.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mudra.config import Config
from mudra.errors import ConfigError, nearest_name

Grid = tuple[PositiveInt, PositiveInt, PositiveInt]
Initialisation = Literal["tran2015", "he_normal"]
# Of the released code of Tran et al. 2015; the last layer's biases are zero.
TRAN2015_HIDDEN_STD, TRAN2015_LAST_STD, TRAN2015_HIDDEN_BIAS = 0.005, 0.01, 1.0


class DenseClassifierConfig(Config):
    """A fixed grid of features, then dense layers."""

    kind: Literal["dense_classifier"] = "dense_classifier"

    width: PositiveFloat = 1.0
    """Factor on the hidden layers' features."""
    grid: Grid = (1, 4, 4)
    """Steps, rows and columns that the maps are averaged to before they are flattened."""
    hidden_features: tuple[PositiveInt, ...] = (4096, 4096)
    """Features of each hidden layer, before `width`; a ReLU follows each."""
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5
    """Probability that a feature is dropped in training: behind every hidden layer, or of the grid where there is
    none."""
    initialisation: Initialisation = "tran2015"
    """`tran2015`: weights of standard deviation 0.005, hidden biases of one, and 0.01 and zero in the last layer;
    `he_normal` (glorot-uniform in the last layer) with biases of zero, for layers of other widths."""

    def build(self, in_channels: int, num_classes: int) -> DenseClassifier:
        """Return the head for maps of `in_channels` channels."""
        return DenseClassifier(
            in_channels=in_channels,
            num_classes=num_classes,
            width=self.width,
            grid=self.grid,
            hidden_features=self.hidden_features,
            dropout=self.dropout,
            initialisation=self.initialisation,
        )


class DenseClassifier(nn.Module):
    """maps_BTCHW into logits_BK.

    Args:
        in_channels: Channels of the maps (C).
        num_classes: Classes (K).
        width: Factor on the hidden layers' features.
        grid: Steps, rows and columns that the maps are averaged to.
        hidden_features: Features of each hidden layer, before `width`.
        dropout: Probability that a feature is dropped in training.
        initialisation: `tran2015` or `he_normal`.

    Raises:
        ConfigError: If there is no such `initialisation`.

    Example:
        >>> import torch
        >>> DenseClassifier(in_channels=8, num_classes=5, hidden_features=(16,))(torch.zeros(2, 1, 8, 4, 4)).shape
        torch.Size([2, 5])
    """

    def __init__(
        self,
        *,
        in_channels: int,
        num_classes: int,
        width: float = 1.0,
        grid: Grid = (1, 4, 4),
        hidden_features: tuple[int, ...] = (4096, 4096),
        dropout: float = 0.5,
        initialisation: Initialisation = "tran2015",
    ) -> None:
        if initialisation not in get_args(Initialisation):
            hint = nearest_name(initialisation, get_args(Initialisation))
            raise ConfigError(f"initialisation is {initialisation!r}", hint=hint)
        super().__init__()
        self.pool = nn.AdaptiveAvgPool3d(grid)
        features = in_channels * grid[0] * grid[1] * grid[2]
        layers: list[nn.Module] = [] if hidden_features else [nn.Dropout(dropout)]
        for count in hidden_features:
            scaled = max(round(count * width), 1)
            layers += [nn.Linear(features, scaled), nn.ReLU(inplace=True), nn.Dropout(dropout)]
            features = scaled
        self.layers = nn.Sequential(*layers, nn.Linear(features, num_classes))
        *hidden, last = (layer for layer in self.layers if isinstance(layer, nn.Linear))
        _initialise(hidden, last, initialisation)

    def forward(self, maps_BTCHW: Tensor) -> Tensor:
        logits: Tensor = self.layers(self.pool(maps_BTCHW.transpose(1, 2)).flatten(1))
        return logits


def _initialise(hidden: list[nn.Linear], last: nn.Linear, initialisation: Initialisation) -> None:
    is_published = initialisation == "tran2015"
    for layer in hidden:
        if is_published:
            nn.init.normal_(layer.weight, std=TRAN2015_HIDDEN_STD)
        else:
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
        nn.init.constant_(layer.bias, TRAN2015_HIDDEN_BIAS if is_published else 0.0)
    if is_published:
        nn.init.normal_(last.weight, std=TRAN2015_LAST_STD)
    else:
        nn.init.xavier_uniform_(last.weight)
    nn.init.zeros_(last.bias)
