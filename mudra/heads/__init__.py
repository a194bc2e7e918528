"""Features into logits: maps_BTCHW become logits_BK.

To add one: write its file (source, config, head), and add the config to `AnyHeadConfig` below.
"""

from typing import Annotated

from pydantic import Field

from mudra.heads.dense_classifier import DenseClassifier as DenseClassifier
from mudra.heads.dense_classifier import DenseClassifierConfig as DenseClassifierConfig
from mudra.heads.mean_classifier import MeanClassifier as MeanClassifier
from mudra.heads.mean_classifier import MeanClassifierConfig as MeanClassifierConfig

AnyHeadConfig = Annotated[MeanClassifierConfig | DenseClassifierConfig, Field(discriminator="kind")]
