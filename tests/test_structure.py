"""The house itself: every source file has its tests, rooms import lower layers only, and names keep the rules."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

REPOSITORY = Path(__file__).parent.parent
PACKAGE = REPOSITORY / "mudra"
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
ROOMS = sorted(path for path in PACKAGE.iterdir() if (path / "__init__.py").is_file())
TEXTS = [
    *sorted(path for path in REPOSITORY.iterdir() if path.name == "Makefile" or path.suffix in {".md", ".toml"}),
    *sorted(
        path
        for folder in ("mudra", "tests", "benchmarks", "docs")
        for path in (REPOSITORY / folder).rglob("*")
        if path.suffix in {".py", ".md", ".html", ".txt", ".yaml"}
    ),
]

UNWANTED = {
    "a path of one machine": r"(?<![\w.])/(?:work|root)/",
    "a number that only one tracker knows": r"(?i)\b(?:issue|ticket|pull request)s? *#?\d+|(?<![\w&'\"])#\d{1,4}\b",
    "a note of unfinished work": r"\b(?:TOD[O]|FIXM[E]|XX[X]|HAC[K])\b",
    "a host of packages": r"(?i)\bpy[p]i\b|python[h]osted",
}


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(REPOSITORY)) for path in paths]


def twin_of(source: Path) -> Path:
    *rooms, file = source.relative_to(PACKAGE).parts
    return REPOSITORY / "tests" / Path(*rooms, f"test_{file}")


@pytest.mark.parametrize("source", SOURCES, ids=names(SOURCES))
def test_every_source_file_has_its_tests(source: Path) -> None:
    twin = twin_of(source)
    assert twin.is_file(), f"{source.relative_to(REPOSITORY)} wants {twin.relative_to(REPOSITORY)}"
    assert re.search(r"^(async )?def test_|^    def test_", twin.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_every_test_file_of_a_room_has_its_source() -> None:
    twins = {twin_of(source) for source in SOURCES}
    rooms = [REPOSITORY / "tests" / room.name for room in ROOMS]
    assert [path for room in rooms for path in room.rglob("test_*.py") if path not in twins] == []


def test_rooms_import_lower_layers_only(capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports(config_filename=str(REPOSITORY / "pyproject.toml"), no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_every_room_stands_in_a_layer() -> None:
    # A room that the contract does not name could import anything.
    layers = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    layers = layers[layers.index('type = "layers"') :].split("[[")[0]
    assert [room.name for room in ROOMS if f"mudra.{room.name}" not in re.findall(r"[\w.]+", layers)] == []


@pytest.mark.parametrize("room", ROOMS, ids=names(ROOMS))
def test_every_room_says_what_it_is(room: Path) -> None:
    assert ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    assert room.name not in {"utils", "common", "helpers", "misc"}


@pytest.mark.parametrize("source", SOURCES, ids=names(SOURCES))
def test_names_of_functions_say_what_they_do(source: Path) -> None:
    tree = ast.parse(source.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the file says what it holds"
    assert source.stem not in {"utils", "helpers", "misc"}
    functions = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert [name for name in functions if re.match(r"_?(get|process|handle|do)_", name)] == []


@pytest.mark.parametrize("source", SOURCES, ids=names(SOURCES))
def test_no_text_is_run_as_code(source: Path) -> None:
    tree = ast.parse(source.read_text(encoding="utf-8"))
    called = [node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    assert {"eval", "exec", "__import__"}.isdisjoint(called)


@pytest.mark.parametrize("reason", UNWANTED)
def test_no_text_holds(reason: str) -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()}"
        for path in TEXTS
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(UNWANTED[reason], line)
    ]
    assert found == [], reason
