"""The union of all cells' configs: what a network may hold by itself, or twice in a bidirectional layer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mudra.cells.conv_lstm import ConvLSTMConfig
from mudra.cells.gated_conv_lstm import GatedConvLSTMConfig
from mudra.cells.inception_conv_lstm import InceptionConvLSTMConfig
from mudra.cells.input_attention_conv_lstm import InputAttentionConvLSTMConfig
from mudra.cells.input_gate_attention_conv_lstm import InputGateAttentionConvLSTMConfig
from mudra.cells.multi_kernel_conv_lstm import MultiKernelConvLSTMConfig
from mudra.cells.output_gate_attention_conv_lstm import OutputGateAttentionConvLSTMConfig
from mudra.cells.peephole_conv_lstm import PeepholeConvLSTMConfig

AnyCellConfig = Annotated[
    ConvLSTMConfig
    | GatedConvLSTMConfig
    | InputAttentionConvLSTMConfig
    | InputGateAttentionConvLSTMConfig
    | OutputGateAttentionConvLSTMConfig
    | PeepholeConvLSTMConfig
    | MultiKernelConvLSTMConfig
    | InceptionConvLSTMConfig,
    Field(discriminator="kind"),
]
