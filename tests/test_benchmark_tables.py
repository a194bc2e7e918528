"""The page of numbers: each benchmark's section stands there when it has rows, and says what they say."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import flow_masks, moving_digits, tables

Row = dict[str, Any]
MADE: Row = {"date": "2026-01-02", "cpu": "a processor", "num_cpus": 2, "versions": {"torch": "2.15"}}
TRAINED: Row = {"parameters": 12345, "macs_per_clip": 7_000_000, "num_clips": 360, "epochs": 9, "training_minutes": 4.0}


def stream_row(data: str, network: str, seed: int, jaccard: float) -> Row:
    scores = {"mean_jaccard": {"union": 0.25}, "frame_accuracy": 0.875, "error_rate": 0.125}
    told = {"row": f"{data}, {network}, seed {seed}", "data": data, "network": network, "seed": seed}
    return {**told, "jaccard": jaccard, "scores": {**scores, "largest_class_accuracy": 0.375}, **TRAINED}


def digit_row(kernels: str, speed_px: int, seed: int, cross_entropy: float, *, is_paper: bool = False) -> Row:
    found = {"kernels": kernels, "speed_px": speed_px, "seed": seed, "cross_entropy": cross_entropy, "minutes": 1.5}
    return {**TRAINED, **found, "settings": moving_digits.settings_of(is_paper)}


def mask_row(seed: int, share: float) -> Row:
    found = {f"{name}_{kernel}": share for kernel in ("5x5", "7x7") for name in ("slow_masks", "slow_clips")}
    opened = {f"open_on_{digit}_{kernel}": 0.5 for kernel in ("5x5", "7x7") for digit in ("slow", "fast")}
    return {"source": "mnist", "seed": seed, "num_clips": 180, **found, **opened, "settings": flow_masks.SMALL}


def depth_row(method: str, seed: int, local: float, epochs: int = 60) -> Row:
    found = {"row": f"{method} {seed}", "method": method, "split": "scene", "seed": seed, "epochs": epochs}
    errors = {"size": "64x96", "local_mse": local, "global_mse": local / 2, "local_shape_mse": local / 4}
    return {**found, **errors, "num_train": 48, "num_held": 12, "parameters": 2_900_000, "minutes": 8.0}


def layer_row(layer: str, seconds: float, over_floor: float | None) -> Row:
    size = {"channels": [512, 256], "batch": 10, "num_frames": 20, "dtype": "float32", "threads": 2, "device": "chip"}
    ratio = {"ratio": 1.29, "paper_ratio": 1.17, "over_floor": over_floor}
    return {"layer": layer, "mode": "training", "seconds": seconds, **ratio, **size}


def module_rows() -> list[Row]:
    said = {"threads": 1, "clock": "wall", "memory": "held", "size_px": 224, "device": "cpu"}
    times = {"forward_ms": 10.5, "step_ms": 20.5}
    network = {"part": "networks", "case": "tsm, float32", **times, "forward_over_plain": 1.01, "step_over_plain": 1.07}
    module = {"part": "modules", "case": "tsm, 64 channels, float32", "forward_ms": 0.5, "forward_over_conv": 0.375}
    decoder = {"part": "decoder", "case": "decoder, float32", **times, "step_added_fraction": 0.245}
    return [{**row, **said} for row in (network, module, decoder)]


def speed_rows() -> list[Row]:
    case = {"case": "pigou2015/table1/temporal_conv", "threads": 2}
    sliding = {
        "window_frames": 32,
        "one_by_one_frames_per_s": 12.25,
        "times_faster": 9.5,
        "fewer_macs": 11.25,
        "largest_difference": 9.0e-06,
    }
    return [
        {"part": "offline", **case, "frames_per_s": 812.5},
        {"part": "sliding", **case, "frames_per_s": 116.5, **sliding},
    ]


# Rows in the form of each benchmark, and what its sections then hold.
ROWS: dict[str, tuple[list[Row], list[str]]] = {
    "frame_wise": (
        [
            stream_row("shrec", "lstm", 0, 0.7),
            stream_row("shrec", "lstm", 1, 0.8),
            stream_row("shrec", "ours", 0, 0.85),
            stream_row("fir", "ours", 0, 0.4),
        ],
        [
            "## A label for every frame: SHREC'17 as streams",
            "| lstm | 2 | 0.7500 | 0.0707 | 0.2500 | 0.8750 | 0.1250 | 12,345 | 4.0 | 0.888 |",
            "| ours | 1 | 0.8500 |  | 0.2500 | 0.8750 | 0.1250 | 12,345 | 4.0 |  |",
            "## A label for every frame: FIR",
            "| ours | 1 | 0.4000 |",
        ],
    ),
    "moving_digits": (
        [
            *(digit_row("single_3", 1, seed, loss) for seed, loss in enumerate((100.0, 110.0, 900.0))),
            *(digit_row("single_7", 1, seed, loss) for seed, loss in enumerate((90.0, 94.0))),
            digit_row("multi_3_7", 8, 0, 200.0),
        ],
        [
            "## The future of one moving digit: kernels by speed\n",
            "| kernels | MMAC per clip | 1 px per frame | 2 px per frame |",
            "| 3x3 | 7 | 105 (5) |  |  |  |  |",
            "| 7x7 | 7 | 92 (2) |  |  |  |  |",
            "| 3x3 and 7x7 | 7 |  |  |  |  | 200 |",
        ],
    ),
    "moving_digits_paper": (
        [digit_row("single_5", 2, 0, 150.0, is_paper=True)],
        ["## The future of one moving digit: kernels by speed, at the size of the paper", "| 5x5 | 7 |  | 150 |"],
    ),
    "flow_masks": (
        [mask_row(0, 0.25), mask_row(1, 0.75)],
        ["## Masks of flow", "| mnist | 7x7 | 2 | 0.50 (0.25 to 0.75) | 0.50 (0.25 to 0.75) | 0.50 (0.50 to 0.50) |"],
    ),
    "msd_synthetic": (
        [
            {"variant": variant, "seed": seed, "top1": top1, **TRAINED}
            for variant, by_seed in {"tsm": (0.5, 0.5), "tsm_msd": (0.625, 0.635), "action": (0.75,)}.items()
            for seed, top1 in enumerate(by_seed)
        ],
        [
            "## Does learning depth beside the classes help? (synthetic set)",
            "| tsm_msd | 2 | 0.6300 | 0.0071 | 0.6250 to 0.6350 | 12,345 | 7 | 4.0 |",
            "| action | 1 | 0.7500 |  |",
            "\ntsm_msd: +13.00 points with the decoder; standard deviation 0.71, standard error 0.50, t = 26.00",
        ],
    ),
    "msd_isogd": (
        [
            depth_row("mean_map", 0, 0.08, epochs=0),
            depth_row("msd", 0, 0.05),
            depth_row("msd", 1, 0.03),
            depth_row("msd", 1, 0.01),  # measured again
        ],
        [
            "## Depth from colour on real pairs (IsoGD)",
            "Recordings to train on and held: 48 and 12 by scene;",
            "| scene | 64x96 | mean_map | 0 | 1 | 0.08000 | 0% | 0.02000 | 0% | 0.04000 | 0% |  |  |",
            "| scene | 64x96 | msd | 60 | 2 | 0.03000 ± 0.02828 | 62% | 0.00750 ± 0.00707 | 62% "
            "| 0.01500 ± 0.01414 | 62% |  |  | 2,900,000 | 8.0 |",
        ],
    ),
    "nvgesture_pairs": (
        [
            {"row": f"seed {seed}", "top1": 0.04 * right, "times_chance": right, "train_loss": 0.75, **TRAINED}
            | {"num_clips": 25, "cpu_minutes": minutes}
            for seed, right, minutes in ((0, 9, 3.5), (1, 10, None))
        ],
        [
            "## NVGesture's pairs of real depth recordings",
            "One clip per class: a check of the path, not a score. Of each of 25 classes",
            "Chance is 0.04; wanted was at least 0.12.",
            "| seed 0 | 0.36 | 9.0 | 25 | 0.750 | 9 | 4.0 | 3.5 |",
            "| seed 1 | 0.40 | 10.0 | 25 | 0.750 | 9 | 4.0 |  |",
        ],
    ),
    "layer_time": (
        [layer_row("3x3", 9.5, None), layer_row("3x3", 2.5, None), layer_row("multi_3_5", 3.5, 1.125)],
        [
            "## Kernels of a recurrent layer: time",
            "| 3x3 | training | chip | float32 | 2 | 512x256 | 10 | 20 | 2.5 | 1.29 | 1.17 |  |",
            "| 3.5 | 1.29 | 1.17 | 1.125 |",
        ],
    ),
    "temporal_modules": (
        module_rows(),
        [
            "## Temporal modules: time",
            "| tsm, float32 | 224 | cpu | wall | held | 1 | 10.5 | 1.01 | 20.5 | 1.07 |",
            "| tsm, 64 channels, float32 | 224 | cpu | wall | held | 1 | 0.5 |  | 0.375 |  |  |  |",
            "| decoder, float32 | 224 | cpu | wall | held | 1 | 10.5 |  |  | 20.5 |  | 0.245 |",
        ],
    ),
    "frame_speed": (
        speed_rows(),
        [
            "## A label for every frame: speed",
            "| pigou2015/table1/temporal_conv | 2 | 812.5 |",
            "| pigou2015/table1/temporal_conv | 2 | 116.5 | 32 | 12.25 | 9.5 | 11.25 | 9.0e-06 |",
        ],
    ),
    "held_memory": (
        [
            {
                "case": "ours/small",
                "threads": 2,
                "given_back_step_s": 0.75,
                "held_step_s": 0.5,
                "times_faster": 1.5,
                "given_back_peak_memory_mib": 900.5,
                "held_peak_memory_mib": 950.25,
            }
        ],
        ["## Memory held between training steps", "| ours/small | 2 | 0.75 | 0.5 | 1.5 | 900.5 | 950.25 |"],
    ),
    "long_files": (
        [
            {"recipe": "ours/frame_wise", "video_minutes": minutes, "seconds": seconds, "frames_per_s": 300.5}
            for minutes, seconds in ((10, 51.5), (30, 160.5), (10, 50.5))
        ],
        [
            "## Files of hours",
            "| ours/frame_wise | 10 | 50.5 |  | 300.5 |  |\n| ours/frame_wise | 30 | 160.5 |  | 300.5 |  |\n\n",
        ],
    ),
    "flow_speed": (
        [
            {"case": "one digit", "frames_per_s": 4321},
            {"case": "flow", "flow_ms": 30.5, "decode_ms": 61.0, "ratio": 0.5},
        ],
        ["## Moving digits and flow", "| one digit | 4321 |  |  |  |", "| flow |  | 30.5 | 61.0 | 0.5 |"],
    ),
    "loader": (
        [
            {"case": "shrec2017, depth", "cache": "auto", "clips_per_s": 65.5, "waiting_fraction": 0.075},
            {"case": "pairs", "cache": "none", "clips_per_s": 9.5, "decoding_clips_per_s": 57.0, "workers": 1},
            {"case": "pairs", "cache": "none", "clips_per_s": 19.5, "over_decoding": 4.0, "workers": 2},
        ],
        [
            "## Loader",
            "| shrec2017, depth | auto |  | 65.5 |  |  | 0.075 |  |",
            "| pairs | none | 1 | 9.5 | 57.0 |  |",
            "| pairs | none | 2 | 19.5 |  | 4.0 |",
        ],
    ),
}
PICTURES = ("frame_wise.svg", "moving_digits.svg", "moving_digits_paper.svg", "flow_masks.png", "msd_synthetic.svg")


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of results of all benchmarks, empty."""
    for name in [name for name in sys.modules if name.startswith("benchmarks.")]:
        module = sys.modules[name]
        for kind in ("FILE", "PICTURE"):
            if hasattr(module, kind):
                monkeypatch.setattr(module, kind, tmp_path / getattr(module, kind).name)
        if hasattr(module, "RESULTS"):
            monkeypatch.setattr(module, "RESULTS", tmp_path)
    return tmp_path


def write(folder: Path, name: str) -> None:
    lines = [json.dumps({**row, "command": f"python -m benchmarks.{name}", **MADE}) for row in ROWS[name][0]]
    (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")


def test_without_rows_there_are_no_sections(results: Path) -> None:
    assert [line for line in tables.build_page().splitlines() if line.startswith(("#", "|", "!"))] == [
        "# Measured numbers"
    ]


@pytest.mark.parametrize("name", ROWS)
def test_a_benchmark_with_rows_has_its_sections(name: str, results: Path) -> None:
    write(results, name)
    page = tables.build_page()
    for wanted in ROWS[name][1]:
        assert wanted in page
    titles = [wanted.strip() for wanted in ROWS[name][1] if wanted.startswith("## ")]
    assert len([line for line in page.splitlines() if line.startswith("## ")]) == len(titles), "and no others"
    assert f"`python -m benchmarks.{name}`, 2026-01-02, a processor, 2 cores, torch 2.15." in page
    assert not any(word in page for word in ("nan", "None")), "what is not there is left out"


def test_pictures_are_shown_once_they_are_drawn(results: Path) -> None:
    for name in ROWS:
        write(results, name)
    assert "![" not in tables.build_page()
    for name in PICTURES:
        (results / name).touch()
    page = tables.build_page()
    assert [name for name in PICTURES if page.count(f"](../benchmarks/results/{name})") != 1] == []


def test_what_is_committed_makes_a_page() -> None:
    page = tables.build_page()
    assert page.startswith("# Measured numbers\n")
    assert {"## SHREC'17, depth, `ours/small`", "## One recurrent layer"} <= set(page.splitlines())
