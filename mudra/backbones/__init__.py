"""Clips or hidden maps into feature maps: clip_BTCHW becomes maps_BTCHW.

To add one: write its file (source, config, parts, whole), and add the config to `AnyBackboneConfig` or, for networks
that stand on top of a recurrence, to `AnyTopConfig` below. Temporal modules, which let the frames of a 2-D network see
one another, are listed in `any_temporal_module`.
"""

from typing import Annotated

from pydantic import Field

from mudra.backbones.action import Action as Action
from mudra.backbones.action import ActionConfig as ActionConfig
from mudra.backbones.any_temporal_module import AnyTemporalModuleConfig as AnyTemporalModuleConfig
from mudra.backbones.backbone import Backbone as Backbone
from mudra.backbones.backbone import BackboneState as BackboneState
from mudra.backbones.backbone import StreamedMaps as StreamedMaps
from mudra.backbones.backbone import Taps as Taps
from mudra.backbones.backbone import scale_channels as scale_channels
from mudra.backbones.c3d import C3D as C3D
from mudra.backbones.c3d import TRAN2015_STAGES as TRAN2015_STAGES
from mudra.backbones.c3d import ZHANG2017_STAGES as ZHANG2017_STAGES
from mudra.backbones.c3d import C3DConfig as C3DConfig
from mudra.backbones.c3d import Stage as Stage
from mudra.backbones.conv_top import ConvTop as ConvTop
from mudra.backbones.conv_top import ConvTopConfig as ConvTopConfig
from mudra.backbones.frame_backbone import FrameBackbone as FrameBackbone
from mudra.backbones.frame_res_net import FrameResNet as FrameResNet
from mudra.backbones.frame_res_net import FrameResNetConfig as FrameResNetConfig
from mudra.backbones.frame_trunk import FrameTrunk as FrameTrunk
from mudra.backbones.frame_trunk import FrameTrunkConfig as FrameTrunkConfig
from mudra.backbones.i3d import I3D as I3D
from mudra.backbones.i3d import I3DConfig as I3DConfig
from mudra.backbones.mobile_net_top import MobileNetTop as MobileNetTop
from mudra.backbones.mobile_net_top import MobileNetTopConfig as MobileNetTopConfig
from mudra.backbones.mobile_net_top import SeparableUnit as SeparableUnit
from mudra.backbones.mobile_net_v2 import MobileNetV2 as MobileNetV2
from mudra.backbones.mobile_net_v2 import MobileNetV2Config as MobileNetV2Config
from mudra.backbones.padding import PaddingMode as PaddingMode
from mudra.backbones.pointwise_top import PointwiseTop as PointwiseTop
from mudra.backbones.pointwise_top import PointwiseTopConfig as PointwiseTopConfig
from mudra.backbones.published_backbone import PublishedBackbone as PublishedBackbone
from mudra.backbones.res2net import Res2Net as Res2Net
from mudra.backbones.res2net import Res2NetConfig as Res2NetConfig
from mudra.backbones.res3d import TRAN2017_CHANNELS as TRAN2017_CHANNELS
from mudra.backbones.res3d import TRAN2017_STRIDES as TRAN2017_STRIDES
from mudra.backbones.res3d import Res3D as Res3D
from mudra.backbones.res3d import Res3DConfig as Res3DConfig
from mudra.backbones.resnet import ResNet as ResNet
from mudra.backbones.resnet import ResNetConfig as ResNetConfig
from mudra.backbones.resnext3d import ResNeXt3D as ResNeXt3D
from mudra.backbones.resnext3d import ResNeXt3DConfig as ResNeXt3DConfig
from mudra.backbones.temporal_conv import TemporalConv as TemporalConv
from mudra.backbones.temporal_module import TemporalModule as TemporalModule
from mudra.backbones.temporal_shift import TemporalShift as TemporalShift
from mudra.backbones.temporal_shift import TemporalShiftConfig as TemporalShiftConfig
from mudra.backbones.vgg16 import VGG16 as VGG16
from mudra.backbones.vgg16 import VGG16Config as VGG16Config

AnyBackboneConfig = Annotated[
    Res3DConfig
    | C3DConfig
    | ResNetConfig
    | FrameTrunkConfig
    | FrameResNetConfig
    | Res2NetConfig
    | MobileNetV2Config
    | VGG16Config
    | I3DConfig
    | ResNeXt3DConfig,
    Field(discriminator="kind"),
]
AnyTopConfig = Annotated[MobileNetTopConfig | ConvTopConfig | PointwiseTopConfig, Field(discriminator="kind")]
