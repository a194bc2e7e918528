"""Clips or hidden maps into feature maps: clip_BTCHW becomes maps_BTCHW.

To add one: write its file (source, config, parts, whole), and add the config to `AnyBackboneConfig` or, for networks
that stand on top of a recurrence, to `AnyTopConfig` below.
"""

from typing import Annotated

from pydantic import Field

from mudra.backbones.backbone import Backbone as Backbone
from mudra.backbones.backbone import scale_channels as scale_channels
from mudra.backbones.mobile_net_top import MobileNetTop as MobileNetTop
from mudra.backbones.mobile_net_top import MobileNetTopConfig as MobileNetTopConfig
from mudra.backbones.mobile_net_top import SeparableUnit as SeparableUnit
from mudra.backbones.padding import PaddingMode as PaddingMode
from mudra.backbones.res3d import Res3D as Res3D
from mudra.backbones.res3d import Res3DConfig as Res3DConfig

AnyBackboneConfig = Annotated[Res3DConfig, Field(discriminator="kind")]
AnyTopConfig = Annotated[MobileNetTopConfig, Field(discriminator="kind")]
