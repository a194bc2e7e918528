"""Recurrences over feature maps: maps_BTCHW become hidden_BTDHW, one frame after the other.

To add one: write its file (the paper's equations, a config, a cell), and add the config to `AnyCellConfig` below.
"""

from typing import Annotated

from pydantic import Field

from mudra.cells.cell import Cell as Cell
from mudra.cells.cell import GateActivation as GateActivation
from mudra.cells.cell import Initialisation as Initialisation
from mudra.cells.cell import MapState as MapState
from mudra.cells.cell import Unrolled as Unrolled
from mudra.cells.cell import hard_sigmoid_keras as hard_sigmoid_keras
from mudra.cells.cell import unroll as unroll
from mudra.cells.conv_lstm import ConvLSTMCell as ConvLSTMCell
from mudra.cells.conv_lstm import ConvLSTMConfig as ConvLSTMConfig
from mudra.cells.gated_conv_lstm import GatedConvLSTMCell as GatedConvLSTMCell
from mudra.cells.gated_conv_lstm import GatedConvLSTMConfig as GatedConvLSTMConfig

AnyCellConfig = Annotated[ConvLSTMConfig | GatedConvLSTMConfig, Field(discriminator="kind")]
