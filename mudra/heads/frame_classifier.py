"""Frame classifier: dense layers on every vector of features, one row of logits for each.

Source: Pigou et al. 2015, sections 3.1 and 3.2 (D(2048) - D(2048) - S, or S alone) and 4.2 (dropout on the inputs of
every fully connected layer); initialisation after the released code.
Differs: nothing; `he_normal` is ours.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, get_args

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mudra.config import Config
from mudra.errors import ConfigError, nearest_name

Initialisation = Literal["orthogonal", "normal", "he_normal"]
# Of the released code of Pigou et al. 2015: gain and biases of its dense layers; and the standard deviation of those of
# its network with temporal convolutions alone.
PIGOU2015_GAIN, PIGOU2015_BIAS, PIGOU2015_STD = math.sqrt(2.0), 0.1, 0.01


class FrameClassifierConfig(Config):
    """Dense layers on every vector of features."""

    kind: Literal["frame_classifier"] = "frame_classifier"

    width: PositiveFloat = 1.0
    """Factor on the hidden layers' features."""
    hidden_features: tuple[PositiveInt, ...] = ()
    """Features of each hidden layer, before `width`; a leaky ReLU follows each."""
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5
    """Probability that an input of a dense layer is dropped in training."""
    negative_slope: NonNegativeFloat = 0.3
    """Slope of the leaky ReLU below zero."""
    initialisation: Initialisation = "orthogonal"
    """Of the hidden layers: `orthogonal` with gain sqrt(2), or `normal` of standard deviation 0.01, both with biases of
    0.1; or `he_normal` with biases of zero. The last layer is glorot-uniform with biases of zero."""

    def build(self, in_features: int, num_classes: int) -> FrameClassifier:
        """Return the head for vectors of `in_features` features."""
        return FrameClassifier(
            in_features=in_features,
            num_classes=num_classes,
            width=self.width,
            hidden_features=self.hidden_features,
            dropout=self.dropout,
            negative_slope=self.negative_slope,
            initialisation=self.initialisation,
        )


class FrameClassifier(nn.Module):
    """features_BTC into logits_BTK.

    Args:
        in_features: Features of each vector (C).
        num_classes: Classes (K).
        width: Factor on the hidden layers' features.
        hidden_features: Features of each hidden layer, before `width`.
        dropout: Probability that an input of a dense layer is dropped in training.
        negative_slope: Slope of the leaky ReLU below zero.
        initialisation: `orthogonal`, `normal` or `he_normal`.

    Raises:
        ConfigError: If there is no such `initialisation`.

    Example:
        >>> import torch
        >>> FrameClassifier(in_features=8, num_classes=5, hidden_features=(16,))(torch.zeros(2, 3, 8)).shape
        torch.Size([2, 3, 5])
    """

    def __init__(
        self,
        *,
        in_features: int,
        num_classes: int,
        width: float = 1.0,
        hidden_features: tuple[int, ...] = (),
        dropout: float = 0.5,
        negative_slope: float = 0.3,
        initialisation: Initialisation = "orthogonal",
    ) -> None:
        if initialisation not in get_args(Initialisation):
            hint = nearest_name(initialisation, get_args(Initialisation))
            raise ConfigError(f"initialisation is {initialisation!r}", hint=hint)
        super().__init__()
        layers: list[nn.Module] = []
        features = in_features
        for count in hidden_features:
            scaled = max(round(count * width), 1)
            layers += [nn.Dropout(dropout), nn.Linear(features, scaled), nn.LeakyReLU(negative_slope, inplace=True)]
            _initialise(layers[-2], initialisation, negative_slope)
            features = scaled
        last = nn.Linear(features, num_classes)
        nn.init.xavier_uniform_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(*layers, nn.Dropout(dropout), last)

    def forward(self, features_BTC: Tensor) -> Tensor:
        logits_BTK: Tensor = self.layers(features_BTC)
        return logits_BTK


def _initialise(layer: nn.Module, initialisation: Initialisation, negative_slope: float) -> None:
    assert isinstance(layer, nn.Linear)
    if initialisation == "orthogonal":
        nn.init.orthogonal_(layer.weight, gain=PIGOU2015_GAIN)
    elif initialisation == "normal":
        nn.init.normal_(layer.weight, std=PIGOU2015_STD)
    else:
        nn.init.kaiming_normal_(layer.weight, a=negative_slope, mode="fan_in", nonlinearity="leaky_relu")
    nn.init.constant_(layer.bias, 0.0 if initialisation == "he_normal" else PIGOU2015_BIAS)
