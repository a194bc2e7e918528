"""The names that `import mudra` promises."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import mudra

# Whoever removes or renames one breaks somebody's program: this list is changed on purpose only.
PUBLIC = [
    "ClipMaker",
    "ClipSpec",
    "ConvLSTMCell",
    "Dataset",
    "find_recipe",
    "Frames",
    "GatedConvLSTMCell",
    "GestureNet",
    "load",
    "load_segmenter",
    "measure_complexity",
    "MudraError",
    "open_camera",
    "open_frames",
    "open_video",
    "Prediction",
    "Predictor",
    "read_folder",
    "read_shrec2017",
    "read_table",
    "Recording",
    "RunConfig",
    "Segmenter",
    "Stream",
    "train",
    "unroll",
    "write_depth",
    "write_video",
]


def type_checkers_view() -> dict[str, str]:
    """Name and room of every import that type checkers see."""
    tree = ast.parse(Path(mudra.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module != "__future__"]
    return {
        alias.name: str(node.module).removeprefix("mudra.")
        for node in imports
        for alias in node.names
        if str(node.module).startswith("mudra.")
    }


def test_the_public_names_are_these() -> None:
    assert mudra.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_explained(name: str) -> None:
    value = getattr(mudra, name)
    assert value.__name__ == name
    assert inspect.getdoc(value)


def test_type_checkers_see_the_same_names() -> None:
    assert type_checkers_view() == mudra._HOME_OF


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'mudra' has no attribute 'GestureNett'"):
        _ = mudra.GestureNett


def test_names_are_offered_for_completion() -> None:
    assert set(PUBLIC) <= set(dir(mudra))
    assert "__version__" in dir(mudra)


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, mudra; print(sorted({'torch', 'numpy', 'cv2', 'lightning'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
