"""Recurrences over feature maps: maps_BTCHW become hidden_BTDHW, one frame after the other.

To add one: write its file (the paper's equations, a config, a cell), and add the config to `AnyCellConfig` in
`any_cell.py`. A layer that cannot go frame by frame joins `AnyRecurrentLayerConfig` below instead.
"""

from typing import Annotated

from pydantic import Field

from mudra.cells.any_cell import AnyCellConfig as AnyCellConfig
from mudra.cells.bidirectional import Bidirectional as Bidirectional
from mudra.cells.bidirectional import BidirectionalConfig as BidirectionalConfig
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
from mudra.cells.input_attention_conv_lstm import InputAttentionConvLSTMCell as InputAttentionConvLSTMCell
from mudra.cells.input_attention_conv_lstm import InputAttentionConvLSTMConfig as InputAttentionConvLSTMConfig
from mudra.cells.input_gate_attention_conv_lstm import (
    InputGateAttentionConvLSTMCell as InputGateAttentionConvLSTMCell,
)
from mudra.cells.input_gate_attention_conv_lstm import (
    InputGateAttentionConvLSTMConfig as InputGateAttentionConvLSTMConfig,
)
from mudra.cells.output_gate_attention_conv_lstm import (
    OutputGateAttentionConvLSTMCell as OutputGateAttentionConvLSTMCell,
)
from mudra.cells.output_gate_attention_conv_lstm import (
    OutputGateAttentionConvLSTMConfig as OutputGateAttentionConvLSTMConfig,
)

AnyRecurrentLayerConfig = Annotated[AnyCellConfig | BidirectionalConfig, Field(discriminator="kind")]
