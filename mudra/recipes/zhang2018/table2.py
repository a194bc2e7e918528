"""Zhang et al. 2018, Table 2: whole systems on the validation set of IsoGD, one stream each.

Paper: Attention in Convolutional LSTM for Gesture Recognition, NeurIPS 2018. The numbers of ResNet-50, C3D and Res3D
    stand there as other groups report them (Narayana et al. 2018, Li et al. 2016, Miao et al. 2017), that of
    3DCNN + BiConvLSTM + 2DCNN as Zhang et al. 2017 do.
Data:  IsoGD, as its makers give it (`data=isogd`); flow is computed from colour.
Run:   mudra train zhang2018/table1/variant_a data=jester data.root=jester --out runs/jester
       mudra train zhang2018/table2/variant_a_rgb data=isogd data.root=isogd init_from=runs/jester
Cost:  not yet run. Without training: mudra cost zhang2018/table2/variant_a_rgb
Differs from the paper: all rows are trained by section 3.2's protocol for IsoGD, whatever their own groups did (Li et
    al. feed C3D's features to a support vector machine, for one). Flow: three channels in levels, bounded at 20 pixels
    per frame, of OpenCV's dense inverse search: x, y and speed; the paper's pictures hold something else or the same,
    its sources do not say. C3D and Res3D are the published
    networks of Tran et al. 2015 and 2017; ResNet-50 starts from chance unless told otherwise
    (`model.backbone.pretrained=imagenet`). 3DCNN + BiConvLSTM + 2DCNN has its code's layers; there each direction's
    second layer sees its own direction alone, here both, and the last layer drops features, not weights.
"""

from __future__ import annotations

from mudra.backbones import (
    TRAN2017_CHANNELS,
    TRAN2017_STRIDES,
    ZHANG2017_STAGES,
    C3DConfig,
    ConvTopConfig,
    Res3DConfig,
    ResNetConfig,
)
from mudra.cells import BidirectionalConfig, ConvLSTMConfig, GatedConvLSTMConfig
from mudra.heads import DenseClassifierConfig
from mudra.models import GestureNetConfig
from mudra.recipes.registry import Expected, row
from mudra.recipes.zhang2018.protocol import train_on_isogd
from mudra.training import RunConfig
from mudra.types import Stream

VALIDATION = "IsoGD validation"


def _resnet50(stream: Stream) -> RunConfig:
    """Return the run of a ResNet-50 on every frame, at the size that its published weights were trained at."""
    config = train_on_isogd(GestureNetConfig(backbone=ResNetConfig(depth=50), cells=(), top=None), stream)
    return config.with_overrides({"clip.size": [224, 224]})


def _c3d(stream: Stream) -> RunConfig:
    """Return the run of C3D: 16 frames, which its pooling makes one step."""
    model = GestureNetConfig(backbone=C3DConfig(), cells=(), top=None, head=DenseClassifierConfig())
    return train_on_isogd(model, stream, num_frames=16)


def _res3d(stream: Stream) -> RunConfig:
    """Return the run of Res3D-18 alone, its last maps averaged over time and space."""
    backbone = Res3DConfig(channels=TRAN2017_CHANNELS, block_strides=TRAN2017_STRIDES, padding="symmetric")
    return train_on_isogd(GestureNetConfig(backbone=backbone, cells=(), top=None), stream)


def _biconvlstm(stream: Stream) -> RunConfig:
    """Return the run of Zhang et al. 2017: 3-D convolutions, ConvLSTM in both directions, 2-D convolutions."""
    # TensorFlow's cell, which the code of 2017 builds on, starts with a forget bias of one.
    cell = ConvLSTMConfig(forget_bias=1.0)
    model = GestureNetConfig(
        backbone=C3DConfig(stages=ZHANG2017_STAGES, norm="stage", initialisation="he_normal"),
        cells=(
            BidirectionalConfig(cell=cell, hidden_channels=256),
            BidirectionalConfig(cell=cell, hidden_channels=384),
        ),
        top=ConvTopConfig(),
        head=DenseClassifierConfig(hidden_features=(), initialisation="he_normal"),
    )
    return train_on_isogd(model, stream)


def _conv_lstm(stream: Stream) -> RunConfig:
    """Return the run of the paper's network with plain ConvLSTM."""
    return train_on_isogd(GestureNetConfig(cells=(ConvLSTMConfig(), ConvLSTMConfig())), stream)


def _variant_a(stream: Stream) -> RunConfig:
    """Return the run of the paper's network with variant (a)."""
    return train_on_isogd(GestureNetConfig(cells=(GatedConvLSTMConfig(), GatedConvLSTMConfig())), stream)


@row(source="Table 2, row 1, RGB", paper=(Expected("top1", 0.3322, VALIDATION),))
def resnet50_rgb() -> RunConfig:
    """ResNet-50 on every frame, mean over frames; RGB of IsoGD."""
    return _resnet50(Stream.RGB)


@row(source="Table 2, row 1, depth", paper=(Expected("top1", 0.2798, VALIDATION),))
def resnet50_depth() -> RunConfig:
    """ResNet-50 on every frame, mean over frames; depth of IsoGD."""
    return _resnet50(Stream.DEPTH)


@row(source="Table 2, row 1, flow", paper=(Expected("top1", 0.4622, VALIDATION),))
def resnet50_flow() -> RunConfig:
    """ResNet-50 on every frame, mean over frames; flow of IsoGD."""
    return _resnet50(Stream.FLOW)


@row(source="Table 2, row 3, RGB", paper=(Expected("top1", 0.3730, VALIDATION),))
def c3d_rgb() -> RunConfig:
    """C3D, T = 16; RGB of IsoGD."""
    return _c3d(Stream.RGB)


@row(source="Table 2, row 3, depth", paper=(Expected("top1", 0.4050, VALIDATION),))
def c3d_depth() -> RunConfig:
    """C3D, T = 16; depth of IsoGD."""
    return _c3d(Stream.DEPTH)


@row(source="Table 2, row 4, RGB", paper=(Expected("top1", 0.4507, VALIDATION),))
def res3d_rgb() -> RunConfig:
    """Res3D alone, averaged over time and space; RGB of IsoGD."""
    return _res3d(Stream.RGB)


@row(source="Table 2, row 4, depth", paper=(Expected("top1", 0.4844, VALIDATION),))
def res3d_depth() -> RunConfig:
    """Res3D alone, averaged over time and space; depth of IsoGD."""
    return _res3d(Stream.DEPTH)


@row(source="Table 2, row 4, flow", paper=(Expected("top1", 0.4445, VALIDATION),))
def res3d_flow() -> RunConfig:
    """Res3D alone, averaged over time and space; flow of IsoGD."""
    return _res3d(Stream.FLOW)


@row(source="Table 2, row 5, RGB", paper=(Expected("top1", 0.5131, VALIDATION),))
def biconvlstm_rgb() -> RunConfig:
    """3DCNN + bidirectional ConvLSTM + 2DCNN; RGB of IsoGD."""
    return _biconvlstm(Stream.RGB)


@row(source="Table 2, row 5, depth", paper=(Expected("top1", 0.4981, VALIDATION),))
def biconvlstm_depth() -> RunConfig:
    """3DCNN + bidirectional ConvLSTM + 2DCNN; depth of IsoGD."""
    return _biconvlstm(Stream.DEPTH)


@row(source="Table 2, row 5, flow", paper=(Expected("top1", 0.4530, VALIDATION),))
def biconvlstm_flow() -> RunConfig:
    """3DCNN + bidirectional ConvLSTM + 2DCNN; flow of IsoGD."""
    return _biconvlstm(Stream.FLOW)


@row(source="Table 2, row 6, RGB", paper=(Expected("top1", 0.5201, VALIDATION),))
def conv_lstm_rgb() -> RunConfig:
    """Res3D + ConvLSTM + MobileNet; RGB of IsoGD."""
    return _conv_lstm(Stream.RGB)


@row(source="Table 2, row 6, depth", paper=(Expected("top1", 0.5130, VALIDATION),))
def conv_lstm_depth() -> RunConfig:
    """Res3D + ConvLSTM + MobileNet; depth of IsoGD."""
    return _conv_lstm(Stream.DEPTH)


@row(source="Table 2, row 6, flow", paper=(Expected("top1", 0.4559, VALIDATION),))
def conv_lstm_flow() -> RunConfig:
    """Res3D + ConvLSTM + MobileNet; flow of IsoGD."""
    return _conv_lstm(Stream.FLOW)


@row(source="Table 2, row 7, RGB", paper=(Expected("top1", 0.5598, VALIDATION),))
def variant_a_rgb() -> RunConfig:
    """Res3D + ConvLSTM variant (a) + MobileNet; RGB of IsoGD."""
    return _variant_a(Stream.RGB)


@row(source="Table 2, row 7, depth", paper=(Expected("top1", 0.5328, VALIDATION),))
def variant_a_depth() -> RunConfig:
    """Res3D + ConvLSTM variant (a) + MobileNet; depth of IsoGD."""
    return _variant_a(Stream.DEPTH)


@row(source="Table 2, row 7, flow", paper=(Expected("top1", 0.4651, VALIDATION),))
def variant_a_flow() -> RunConfig:
    """Res3D + ConvLSTM variant (a) + MobileNet; flow of IsoGD."""
    return _variant_a(Stream.FLOW)
