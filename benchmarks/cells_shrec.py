"""Do the gates need convolutions, and does attention help? Zhang et al. 2018's question on SHREC'17, with depth.

Run: python -m benchmarks.cells_shrec                 (the recordings in ../shared/data or $MUDRA_SHARED)
     python -m benchmarks.cells_shrec --share 1/2     (half of the rows; 2/2 in a second process does the others)
     python -m benchmarks.cells_shrec --time          (times of all networks in turns, on a quiet machine)
     python -m benchmarks.cells_shrec --table         (the table of what is there)

One narrow network (ours/small at 3/4 of its width, on 64x64), one training budget, three seeds: only the recurrent
layers change. As in the paper, (b), (c) and (d) are the first layer and (a) is the second. Without recurrence stand
the same backbone and top averaged over time; the same with kernels of one frame (spatial only, mean over time); and
that on the middle frame alone. Judged on the official validation subjects with the last epoch's weights. Rows go to
benchmarks/results/cells_shrec.jsonl, times to cells_shrec_times.jsonl.
"""

from __future__ import annotations

import json

from benchmarks.grid import Grid, run_grid

_CELL = {"hidden_channels": 64, "initialisation": "pytorch", "forget_bias": 1.0}
_SPATIAL = [
    "model.cells=[]",
    "model.backbone.kernel_frames=1",
    "model.backbone.stem_kernel=[1, 5, 5]",
    "model.backbone.block_strides=[[1, 1, 1], [1, 2, 2], [1, 2, 2]]",
]


def _cells(*kinds: str) -> list[str]:
    return [f"model.cells={json.dumps([{'kind': kind, **_CELL} for kind in kinds])}"]


VARIANTS: dict[str, list[str]] = {
    "plain": _cells("conv_lstm", "conv_lstm"),
    "variant_a": _cells("gated_conv_lstm", "gated_conv_lstm"),
    "variant_b": _cells("input_attention_conv_lstm", "gated_conv_lstm"),
    "variant_c": _cells("input_gate_attention_conv_lstm", "gated_conv_lstm"),
    "variant_d": _cells("output_gate_attention_conv_lstm", "gated_conv_lstm"),
    "no_recurrence": ["model.cells=[]"],
    "spatial_only": _SPATIAL,
    "middle_frame": [*_SPATIAL, "clip.num_frames=1", 'clip.sampling={"kind": "segments"}'],
}

GRID = Grid("cells_shrec", "SHREC'17, depth, 14 classes: recurrent layers", VARIANTS)

if __name__ == "__main__":
    run_grid(GRID, __doc__.splitlines()[0])
