"""Features into logits: maps_BTCHW become logits_BK; in `frame_classifier.py`, features_BTC become logits_BTK.

To add one: write its file (source, config, head), and add the config to `AnyHeadConfig` below. The decoder is no head:
it turns maps into pictures of depth, in training alone.
"""

from typing import Annotated

from pydantic import Field

from mudra.heads.consensus import Consensus as Consensus
from mudra.heads.consensus import ConsensusConfig as ConsensusConfig
from mudra.heads.dense_classifier import DenseClassifier as DenseClassifier
from mudra.heads.dense_classifier import DenseClassifierConfig as DenseClassifierConfig
from mudra.heads.frame_classifier import FrameClassifier as FrameClassifier
from mudra.heads.frame_classifier import FrameClassifierConfig as FrameClassifierConfig
from mudra.heads.mean_classifier import MeanClassifier as MeanClassifier
from mudra.heads.mean_classifier import MeanClassifierConfig as MeanClassifierConfig
from mudra.heads.multi_scale_decoder import Masks as Masks
from mudra.heads.multi_scale_decoder import MultiScaleDecoder as MultiScaleDecoder
from mudra.heads.multi_scale_decoder import MultiScaleDecoderConfig as MultiScaleDecoderConfig

AnyHeadConfig = Annotated[MeanClassifierConfig | DenseClassifierConfig | ConsensusConfig, Field(discriminator="kind")]
