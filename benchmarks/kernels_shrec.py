"""Do kernels of several sizes, and attention by flow, help? Agethen and Hsu 2019's table I on SHREC'17, with depth.

Run: python -m benchmarks.kernels_shrec                 (the recordings in ../shared/data or $MUDRA_SHARED)
     python -m benchmarks.kernels_shrec --share 1/2     (half of the rows; 2/2 in a second process does the others)
     python -m benchmarks.kernels_shrec --time          (times of all networks in turns, on a quiet machine)
     python -m benchmarks.kernels_shrec --table         (the table of what is there)

One narrow network (ours/small at 3/4 of its width, on 64x64), one training budget, three seeds, one recurrent layer of
48 channels in all on maps of 8x8: only its kernels change. Flow is computed from the depth frames; `flow_attention`
gives it to the masks of both kernels, `flow_as_input` to the backbone beside the depth, so that what the masks bring
can be told from what flow brings. Judged on the official validation subjects with the last epoch's weights. Rows go to
benchmarks/results/kernels_shrec.jsonl, times to kernels_shrec_times.jsonl.
"""

from __future__ import annotations

import json
from typing import Any

from benchmarks.grid import Grid, run_grid

_START = {"initialisation": "pytorch", "forget_bias": 1.0}
_FLOW = ["clip.streams=[depth, flow]"]


def _cell(kind: str, **settings: Any) -> list[str]:
    return [f"model.cells={json.dumps([{'kind': kind, 'hidden_channels': 64, **_START, **settings}])}"]


VARIANTS: dict[str, list[str]] = {
    "3x3": _cell("conv_lstm", kernel_size=3),
    "5x5": _cell("conv_lstm", kernel_size=5),
    "multi_3_5": _cell("multi_kernel_conv_lstm", kernel_sizes=[3, 5]),
    "multi_3_5_mixed": _cell("multi_kernel_conv_lstm", kernel_sizes=[3, 5], mix="per_gate"),
    "inception": _cell("inception_conv_lstm"),
    "flow_attention": [*_FLOW, "model.flow_channels=2", *_cell("multi_kernel_conv_lstm", kernel_sizes=[3, 5])],
    "flow_as_input": [*_FLOW, *_cell("multi_kernel_conv_lstm", kernel_sizes=[3, 5])],
}

GRID = Grid("kernels_shrec", "SHREC'17, depth, 14 classes: kernels of one recurrent layer", VARIANTS)

if __name__ == "__main__":
    run_grid(GRID, __doc__.splitlines()[0])
