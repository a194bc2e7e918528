"""Recurrences: maps_BTCHW become hidden_BTDHW, vectors x_BTC become hidden_BTD, one frame after the other.

To add one: write its file (the paper's equations, a config, a cell), and add the config to `AnyCellConfig` in
`any_cell.py`, or to `AnyVectorCellConfig` in `any_vector_cell.py`. A layer that cannot go frame by frame joins
`AnyRecurrentLayerConfig` or `AnyVectorLayerConfig` below instead.
"""

from typing import Annotated

from pydantic import Field

from mudra.cells.any_cell import AnyCellConfig as AnyCellConfig
from mudra.cells.any_vector_cell import AnyVectorCellConfig as AnyVectorCellConfig
from mudra.cells.bidirectional import Bidirectional as Bidirectional
from mudra.cells.bidirectional import BidirectionalConfig as BidirectionalConfig
from mudra.cells.bidirectional_vector import BidirectionalVector as BidirectionalVector
from mudra.cells.bidirectional_vector import BidirectionalVectorConfig as BidirectionalVectorConfig
from mudra.cells.cell import Cell as Cell
from mudra.cells.cell import GateActivation as GateActivation
from mudra.cells.cell import Initialisation as Initialisation
from mudra.cells.cell import MapState as MapState
from mudra.cells.cell import Unrolled as Unrolled
from mudra.cells.cell import WholeClipLayer as WholeClipLayer
from mudra.cells.cell import hard_sigmoid_keras as hard_sigmoid_keras
from mudra.cells.cell import unroll as unroll
from mudra.cells.conv_lstm import ConvLSTMCell as ConvLSTMCell
from mudra.cells.conv_lstm import ConvLSTMConfig as ConvLSTMConfig
from mudra.cells.cost import CellCost as CellCost
from mudra.cells.cost import measure_cell as measure_cell
from mudra.cells.gated_conv_lstm import GatedConvLSTMCell as GatedConvLSTMCell
from mudra.cells.gated_conv_lstm import GatedConvLSTMConfig as GatedConvLSTMConfig
from mudra.cells.inception_conv_lstm import InceptionConvLSTMCell as InceptionConvLSTMCell
from mudra.cells.inception_conv_lstm import InceptionConvLSTMConfig as InceptionConvLSTMConfig
from mudra.cells.input_attention_conv_lstm import InputAttentionConvLSTMCell as InputAttentionConvLSTMCell
from mudra.cells.input_attention_conv_lstm import InputAttentionConvLSTMConfig as InputAttentionConvLSTMConfig
from mudra.cells.input_gate_attention_conv_lstm import (
    InputGateAttentionConvLSTMCell as InputGateAttentionConvLSTMCell,
)
from mudra.cells.input_gate_attention_conv_lstm import (
    InputGateAttentionConvLSTMConfig as InputGateAttentionConvLSTMConfig,
)
from mudra.cells.multi_kernel_conv_lstm import MultiKernelConvLSTMCell as MultiKernelConvLSTMCell
from mudra.cells.multi_kernel_conv_lstm import MultiKernelConvLSTMConfig as MultiKernelConvLSTMConfig
from mudra.cells.output_gate_attention_conv_lstm import (
    OutputGateAttentionConvLSTMCell as OutputGateAttentionConvLSTMCell,
)
from mudra.cells.output_gate_attention_conv_lstm import (
    OutputGateAttentionConvLSTMConfig as OutputGateAttentionConvLSTMConfig,
)
from mudra.cells.peephole_conv_lstm import PeepholeConvLSTMCell as PeepholeConvLSTMCell
from mudra.cells.peephole_conv_lstm import PeepholeConvLSTMConfig as PeepholeConvLSTMConfig
from mudra.cells.peephole_lstm import PeepholeLSTMCell as PeepholeLSTMCell
from mudra.cells.peephole_lstm import PeepholeLSTMConfig as PeepholeLSTMConfig
from mudra.cells.rnn import RNNCell as RNNCell
from mudra.cells.rnn import RNNConfig as RNNConfig
from mudra.cells.vector_cell import UnrolledVectors as UnrolledVectors
from mudra.cells.vector_cell import VectorCell as VectorCell
from mudra.cells.vector_cell import VectorState as VectorState
from mudra.cells.vector_cell import WholeSequenceLayer as WholeSequenceLayer
from mudra.cells.vector_cell import unroll_vectors as unroll_vectors

AnyRecurrentLayerConfig = Annotated[AnyCellConfig | BidirectionalConfig, Field(discriminator="kind")]
AnyVectorLayerConfig = Annotated[AnyVectorCellConfig | BidirectionalVectorConfig, Field(discriminator="kind")]
