"""Config: values from Python, YAML and the command line, and what is said about the wrong ones."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from mudra.config import Config, OddInt, configs_in, parse_override
from mudra.errors import ConfigError


class Circle(Config):
    kind: Literal["circle"] = "circle"
    radius: PositiveFloat = 1.0


class Square(Config):
    kind: Literal["square"] = "square"
    side: OddInt = 3
    colour: Literal["red", "blue"] = "red"


CIRCLE = Circle()
AnyShape = Annotated[Circle | Square, Field(discriminator="kind")]


class Pen(Config):
    width: PositiveFloat = 0.5
    tips: tuple[PositiveInt, PositiveInt] = (1, 2)


class Drawing(Config):
    """A config with everything that configs hold."""

    name: str = ""
    count: int = 1
    pen: Pen = Pen()
    shape: AnyShape = Circle()
    border: AnyShape | None = None
    shapes: tuple[AnyShape, ...] = ()
    layers: PositiveInt | Literal["auto"] = "auto"
    shades: dict[str, int] = {}  # noqa: RUF012  copied by pydantic

    @model_validator(mode="after")
    def _check(self) -> Drawing:
        if self.count > len(self.shapes) + 100:
            raise ValueError("count is far above the number of shapes")
        return self


# Values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["count=3"], Drawing(count=3)),
        (["name=red line"], Drawing(name="red line")),
        (["name=a=b"], Drawing(name="a=b")),
        (["name='1e-3'"], Drawing(name="1e-3")),
        (["name=''"], Drawing()),
        (["pen.width=1e-3"], Drawing(pen=Pen(width=0.001))),
        (["pen.width=2"], Drawing(pen=Pen(width=2.0))),
        (["pen.tips=[3, 4]"], Drawing(pen=Pen(tips=(3, 4)))),
        (["pen={width: 2e-1}"], Drawing(pen=Pen(width=0.2))),
        (["pen.tips=[3, 4]", "pen={width: 2.0}"], Drawing(pen=Pen(width=2.0, tips=(3, 4)))),
        (["layers=4"], Drawing(layers=4)),
        (["layers=4", "layers=auto"], Drawing()),
        (["shades={a: 1}", "shades.b=2"], Drawing(shades={"a": 1, "b": 2})),
        (["shape=square"], Drawing(shape=Square())),
        (["shape={kind: square, side: 5}"], Drawing(shape=Square(side=5))),
        (["shape={radius: 2}"], Drawing(shape=Circle(radius=2.0))),
        (["shape.radius=2"], Drawing(shape=Circle(radius=2.0))),
        (["shape=square", "shape.side=5"], Drawing(shape=Square(side=5))),
        (["shape.kind=square", "shape.side=5"], Drawing(shape=Square(side=5))),
        (["shape.radius=2", "shape=circle"], Drawing(shape=Circle(radius=2.0))),
        (["shape.radius=2", "shape.kind=circle"], Drawing(shape=Circle(radius=2.0))),
        (["border=square"], Drawing(border=Square())),
        (["border.kind=square", "border.side=5"], Drawing(border=Square(side=5))),
        (["border=square", "border=null"], Drawing()),
        (["shapes=[square, {kind: circle, radius: 2}]"], Drawing(shapes=(Square(), Circle(radius=2.0)))),
        (["count=2", "count=3"], Drawing(count=3)),
        # Wholes before their parts, in whatever order the words come.
        (["shape.side=5", "shape=square"], Drawing(shape=Square(side=5))),
        (["shape.side=5", "shape.kind=square"], Drawing(shape=Square(side=5))),
        (["border.side=5", "border=square"], Drawing(border=Square(side=5))),
        (["pen.tips=[3, 4]", "pen.width=2", "pen={width: 1, tips: [5, 6]}"], Drawing(pen=Pen(width=2.0, tips=(3, 4)))),
        (
            ["shapes.1.side=5", "shapes.1.kind=square", "shapes=[circle, circle]"],
            Drawing(shapes=(CIRCLE, Square(side=5))),
        ),
        # Places in lists.
        (["pen.tips.0=3"], Drawing(pen=Pen(tips=(3, 2)))),
        (["pen.tips.1=3"], Drawing(pen=Pen(tips=(1, 3)))),
        (["shapes=[circle, square]", "shapes.1.side=5"], Drawing(shapes=(CIRCLE, Square(side=5)))),
        (["shapes=[circle, square]", "shapes.0=square"], Drawing(shapes=(Square(), Square()))),
        (["shapes=[circle, square]", "shapes.0={radius: 2}"], Drawing(shapes=(Circle(radius=2.0), Square()))),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_overrides_are_typed_by_their_field(words: list[str], expected: Drawing) -> None:
    changed = Drawing().with_overrides(words)
    assert changed == expected
    assert type(changed.pen.width) is float


def test_overrides_may_come_as_a_mapping() -> None:
    assert Drawing().with_overrides({"pen.width": 2, "name": "1e3"}) == Drawing(pen=Pen(width=2.0), name="1e3")


def test_overrides_leave_the_config_alone() -> None:
    config = Drawing(shapes=(Square(),))
    config.with_overrides(["pen.width=3", "shape=square"])
    assert config == Drawing(shapes=(Square(),))


def test_configs_are_frozen() -> None:
    config = Drawing()
    with pytest.raises(ValidationError, match="frozen"):
        config.count = 2  # type: ignore[misc]


def test_configs_survive_yaml(tmp_path: Path) -> None:
    config = Drawing(
        name="Übung: 1e5 #no", shapes=(Square(colour="blue"), Circle(radius=0.1)), border=Square(), layers=2
    )
    path = tmp_path / "drawing.yaml"
    path.write_text(config.to_yaml(), encoding="utf-8")
    assert Drawing.from_yaml(path) == Drawing.from_yaml(str(path)) == config
    assert "Übung" in config.to_yaml()
    assert list(config.model_dump()) == [
        line.split(":")[0] for line in config.to_yaml().splitlines() if line[0].isalpha()
    ]


@given(
    name=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20),
    count=st.integers(-(10**9), 100),
    width=st.floats(min_value=1e-300, max_value=1e300),
)
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_any_value_survives_yaml(name: str, count: int, width: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    config = Drawing(name=name, count=count, pen=Pen(width=width))
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(config.to_yaml(), encoding="utf-8", newline="")
    assert Drawing.from_yaml(path) == config


# Refusals ---------------------------------------------------------------------------------------------------------


def refusal(*words: str) -> str:
    with pytest.raises(ConfigError) as caught:
        Drawing().with_overrides(words)
    return str(caught.value)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("coumt=3", "unknown key 'coumt'\n  hint: did you mean 'count'?"),
        ("pen.widht=3", "unknown key 'pen.widht'\n  hint: did you mean 'width'?"),
        ("pne.width=3", "unknown key 'pne' in 'pne.width'\n  hint: did you mean 'pen'?"),
        ("shape.radios=3", "unknown key 'shape.radios'\n  hint: did you mean 'radius'?"),
        ("shape.side=3", "unknown key 'shape.side'\n  hint: known: kind, radius"),
        ("shape=sqare", "key 'shape' got unknown kind 'sqare'\n  hint: did you mean 'square'?"),
        ("shape.kind=sqare", "key 'shape' got unknown kind 'sqare'\n  hint: did you mean 'square'?"),
        ("border=sqare", "key 'border' got unknown kind 'sqare'\n  hint: did you mean 'square'?"),
        ("border.side=3", "key 'border' has no kind\n  hint: known: circle, square"),
        ("shapes=[sqare]", "key 'shapes.0' got unknown kind 'sqare'\n  hint: did you mean 'square'?"),
        (
            "shapes=[circle, {kind: square, sise: 3}]",
            "unknown key 'shapes.1.sise'\n  hint: did you mean 'side'?",
        ),
        (
            "shapes.0.side=3",
            "cannot set 'shapes.0.side': 'shapes' is a list of length 0\n"
            "  hint: give the whole list to make it longer: shapes=[...]",
        ),
        (
            "pen.tips.2=3",
            "cannot set 'pen.tips.2': 'pen.tips' is a list of length 2\n"
            "  hint: positions run from 0 to 1; give the whole list to make it longer: pen.tips=[...]",
        ),
        (
            "pen.tips.-1=3",
            "cannot set 'pen.tips.-1': 'pen.tips' is a list, wanted a position in place of '-1'\n"
            "  hint: for example pen.tips.0; or give the whole list: pen.tips=[...]",
        ),
        (
            "pen.tips.first.x=3",
            "cannot set 'pen.tips.first.x': 'pen.tips' is a list, wanted a position in place of 'first'\n"
            "  hint: for example pen.tips.0; or give the whole list: pen.tips=[...]",
        ),
        ("pen.tips.0.x=3", "cannot set 'pen.tips.0.x': 'pen.tips.0' holds 1, which has no keys"),
        ("pen.width.x=3", "cannot set 'pen.width.x': 'pen.width' holds 0.5, which has no keys"),
        ("pen.width.x.y=3", "unknown key 'pen.width.x' in 'pen.width.x.y'"),
        ("pen..width=3", "unknown key 'pen.' in 'pen..width'\n  hint: did you mean 'pen.tips'?"),
    ],
    ids=lambda value: value.split("\n")[0],
)
def test_unknown_keys_and_kinds_are_refused_with_the_nearest(word: str, message: str) -> None:
    assert refusal(word) == message


@pytest.mark.parametrize(
    ("word", "beginning"),
    [
        ("count=abc", "key 'count' got 'abc': Input should be a valid integer"),
        ("count=1.5", "key 'count' got 1.5: Input should be a valid integer"),
        ("pen.width=-1", "key 'pen.width' got -1: Input should be greater than 0"),
        ("pen.width=.inf", "key 'pen.width' got inf: Input should be a finite number"),
        ("pen.width=.nan", "key 'pen.width' got nan: Input should be"),
        ("pen.tips=[1]", "key 'pen.tips.1' is missing"),
        ("pen=3", "key 'pen' got 3: Input should be a valid dictionary"),
        ("pen=null", "key 'pen' got None: Input should be a valid dictionary"),
        ("name=1e5", "key 'name' got 100000.0: Input should be a valid string"),
        ("shape={kind: square, side: 4}", "key 'shape.side' got 4: 4 is not an odd number from 1 on"),
        ("shape={kind: square, side: -1}", "key 'shape.side' got -1: -1 is not an odd number from 1 on"),
        ("shades.a=x", "key 'shades.a' got 'x': Input should be a valid integer"),
        ("count=500", "count is far above the number of shapes"),
    ],
)
def test_values_that_do_not_fit_are_refused_with_their_key(word: str, beginning: str) -> None:
    assert refusal(word).startswith(beginning)


def test_a_key_of_another_kind_than_the_chosen_one_is_refused_in_either_order() -> None:
    words = ("shape.radius=2", "shape=square")
    assert refusal(*words) == refusal(*words[::-1]) == "unknown key 'shape.radius'\n  hint: known: colour, kind, side"


def test_a_misspelt_choice_is_answered_with_the_nearest() -> None:
    message = refusal("shape={kind: square, colour: bleu}")
    assert message == "key 'shape.colour' got 'bleu': Input should be 'red' or 'blue'\n  hint: did you mean 'blue'?"


def test_a_value_of_two_types_is_one_complaint() -> None:
    message = refusal("layers=aut")
    assert message.count("key 'layers' got 'aut'") == 1
    assert "valid integer" in message
    assert message.endswith("or Input should be 'auto'\n  hint: did you mean 'auto'?")


def test_every_wrong_key_is_named() -> None:
    message = refusal("count=abc", "pen.widht=3", "shape.radios=2")
    assert all(key in message for key in ("key 'count'", "'pen.widht'", "'shape.radios'"))
    assert message.endswith("hint: did you mean 'width'? did you mean 'radius'?")


def test_long_values_are_cut_in_messages() -> None:
    message = refusal(f"count={'x' * 500}")
    assert len(message) < 250
    assert "xxx...: " in message


def test_a_check_of_several_keys_does_not_repeat_them_all() -> None:
    class Folder(Config):
        drawing: Drawing = Drawing()

    with pytest.raises(ConfigError) as caught:
        Folder().with_overrides(["drawing.count=500"])
    assert str(caught.value) == "key 'drawing': count is far above the number of shapes"


@pytest.mark.parametrize("word", ["count", "=3", ""])
def test_a_word_without_key_or_value_is_no_override(word: str) -> None:
    with pytest.raises(ConfigError, match=r"is not an override\n  hint: write dotted.key=value"):
        Drawing().with_overrides([word])


@pytest.mark.parametrize(
    "text", ["[1", "{a: ", "!!python/object/apply:os.getcwd []", "!!python/name:os.system", "2020-99-99", "a: b: c"]
)
def test_values_that_are_not_yaml_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="the value is not YAML"):
        parse_override(f"count={text}")


@given(
    text=st.text(max_size=60)
    | st.from_regex(r"__import__\('os'\)\.[a-z]{3,8}\([0-9]?\)|[0-9]\*\*[0-9]+", fullmatch=True)
)
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
def test_values_are_read_and_never_run(text: str) -> None:
    def is_plain(value: Any) -> bool:
        if isinstance(value, list | tuple | set):
            return all(map(is_plain, value))
        if isinstance(value, dict):
            return all(is_plain(part) for item in value.items() for part in item)
        # YAML also knows dates and bytes.
        return value is None or isinstance(value, str | int | float | bool | bytes) or "date" in type(value).__name__

    with contextlib.suppress(ConfigError):
        dotted, value = parse_override(f"key={text}")
        assert dotted == "key"
        assert is_plain(value)


@pytest.mark.parametrize("text", ["__import__('os').getcwd()", "2**8", "1 + 1", "open('x')", "lambda: 3"])
def test_code_stays_text(text: str) -> None:
    value = parse_override(f"key={text}")[1]
    assert value == ({"lambda": 3} if text.startswith("lambda") else text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("-2E4", -20000.0), (".5e1", 5.0), ("1.e2", 100.0), ("1e", "1e"), ("e5", "e5"), ("1e5x", "1e5x")],
)
def test_powers_of_ten_are_numbers(text: str, value: float | str) -> None:
    assert parse_override(f"key={text}") == ("key", value)
    assert parse_override(f"key=[{text}]") == ("key", [value])
    assert parse_override(f"key='{text}'") == ("key", text)


# Files ------------------------------------------------------------------------------------------------------------


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read \(No such file"):
        Drawing.from_yaml(tmp_path / "none.yaml")


@pytest.mark.parametrize("content", [b"a: [1", b"\xff\xfe\xfa", b"a: 2020-99-99"], ids=["yaml", "utf-8", "date"])
def test_a_file_that_is_not_yaml_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"bad\.yaml: not YAML"):
        Drawing.from_yaml(path)


@pytest.mark.parametrize(("content", "found"), [("", "NoneType"), ("- 1\n- 2", "list"), ("word", "str")])
def test_a_file_without_keys_is_refused(content: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=rf"bad\.yaml: holds {found}, wanted keys and values"):
        Drawing.from_yaml(path)


def test_errors_in_a_file_name_file_and_key(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("pen: {widht: 3}\ncount: x\n")
    with pytest.raises(ConfigError) as caught:
        Drawing.from_yaml(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "unknown key 'pen.widht'" in message
    assert "key 'count' got 'x'" in message


def test_a_missing_key_is_named() -> None:
    class Needy(Config):
        root: str

    with pytest.raises(ConfigError) as caught:
        Needy.from_mapping({}, source="f")
    assert str(caught.value) == "f: key 'root' is missing"
    with pytest.raises(ConfigError) as caught:
        Needy.from_mapping({"rot": "x"})
    assert str(caught.value) == "key 'root' is missing; unknown key 'rot'\n  hint: did you mean 'root'?"


# Types ------------------------------------------------------------------------------------------------------------


def test_configs_in_a_type() -> None:
    assert configs_in(AnyShape) == [Circle, Square]
    assert configs_in(tuple[AnyShape, ...]) == [Circle, Square]
    assert configs_in(AnyShape | None) == [Circle, Square]
    assert configs_in(Pen) == [Pen]
    assert configs_in(int | None) == configs_in(Literal["circle"]) == configs_in(None) == []


@pytest.mark.parametrize("value", [-1, 0, 2])
def test_odd_numbers_alone_are_odd(value: int) -> None:
    with pytest.raises(ConfigError, match=f"key 'side' got {value}: {value} is not an odd number from 1 on"):
        Square.from_mapping({"side": value})
    assert Square.from_mapping({"side": 1}).side == 1
