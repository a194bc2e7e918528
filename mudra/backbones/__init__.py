"""Clips or hidden maps into feature maps: clip_BTCHW becomes maps_BTCHW.

To add one: write its file (source, config, parts, whole), and add the config to `AnyBackboneConfig` or, for networks
that stand on top of a recurrence, to `AnyTopConfig` below.
"""

from typing import Annotated

from pydantic import Field

from mudra.backbones.backbone import Backbone as Backbone
from mudra.backbones.backbone import scale_channels as scale_channels
from mudra.backbones.c3d import C3D as C3D
from mudra.backbones.c3d import TRAN2015_STAGES as TRAN2015_STAGES
from mudra.backbones.c3d import ZHANG2017_STAGES as ZHANG2017_STAGES
from mudra.backbones.c3d import C3DConfig as C3DConfig
from mudra.backbones.c3d import Stage as Stage
from mudra.backbones.conv_top import ConvTop as ConvTop
from mudra.backbones.conv_top import ConvTopConfig as ConvTopConfig
from mudra.backbones.mobile_net_top import MobileNetTop as MobileNetTop
from mudra.backbones.mobile_net_top import MobileNetTopConfig as MobileNetTopConfig
from mudra.backbones.mobile_net_top import SeparableUnit as SeparableUnit
from mudra.backbones.padding import PaddingMode as PaddingMode
from mudra.backbones.res3d import TRAN2017_CHANNELS as TRAN2017_CHANNELS
from mudra.backbones.res3d import TRAN2017_STRIDES as TRAN2017_STRIDES
from mudra.backbones.res3d import Res3D as Res3D
from mudra.backbones.res3d import Res3DConfig as Res3DConfig
from mudra.backbones.resnet import ResNet as ResNet
from mudra.backbones.resnet import ResNetConfig as ResNetConfig

AnyBackboneConfig = Annotated[Res3DConfig | C3DConfig | ResNetConfig, Field(discriminator="kind")]
AnyTopConfig = Annotated[MobileNetTopConfig | ConvTopConfig, Field(discriminator="kind")]
