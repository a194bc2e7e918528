"""The frozen base of every config: unknown keys refused with the nearest name, YAML in and out, key=value overrides.

A config stands beside the component that it describes. Values come from Python, from a YAML file or from the command
line as `dotted.path=value`; all three are checked by the same pydantic model.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from mudra.errors import ConfigError, nearest_name


def _require_odd(value: int) -> int:
    if value < 1 or value % 2 == 0:
        raise ValueError(f"{value} is not an odd number from 1 on")
    return value


OddInt = Annotated[int, AfterValidator(_require_odd)]

LONGEST_SHOWN_VALUE = 80  # characters of a refused value that an error message repeats


class Config(BaseModel):
    """Base of all configs: frozen, typed, no unknown keys.

    Example:
        >>> class Optimiser(Config):
        ...     lr: float = 0.1
        >>> Optimiser().with_overrides(["lr=0.01"])
        Optimiser(lr=0.01)
        >>> Optimiser.from_mapping({"lrr": 1})
        Traceback (most recent call last):
        mudra.errors.ConfigError: unknown key 'lrr'
          hint: did you mean 'lr'?
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, source: str = "") -> Self:
        """Check `values` and return the config.

        Args:
            values: Nested keys and values, as YAML gives them.
            source: The file they came from, for error messages.

        Raises:
            ConfigError: If a key is unknown, or a value has the wrong type or is out of range.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise _explain(error, cls, source) from None

    @classmethod
    def from_yaml(cls, path: Path | str) -> Self:
        """Read a YAML file.

        Raises:
            ConfigError: If the file is missing, is not YAML, or holds what the config does not know.
        """
        path = Path(path)
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
        except (yaml.YAMLError, ValueError) as error:  # not a date, not UTF-8
            raise ConfigError(f"{path}: not YAML ({error})") from None
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: holds {type(values).__name__}, wanted keys and values")
        return cls.from_mapping(values, source=str(path))

    def to_yaml(self) -> str:
        """Return the config as YAML that `from_yaml` reads back to an equal config."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    def with_overrides(self, overrides: Iterable[str] | Mapping[str, Any]) -> Self:
        """Return a copy with values replaced, checked again.

        The order does not matter, except among words for the same key, of which the last counts: a whole is set before
        its parts, so that `data.root=clips data=folder` keeps the root.

        Args:
            overrides: `dotted.path=value` words, the value as YAML; or a mapping from dotted path to value. In a list,
                the path goes on with a position from 0 on: `model.cells.0.hidden_channels=32`.

        Raises:
            ConfigError: If a word has no `=`, a key is unknown, a list is too short or a value does not fit.
        """
        pairs = overrides.items() if isinstance(overrides, Mapping) else map(parse_override, overrides)
        values = self.model_dump(mode="json")
        for dotted, value in sorted(pairs, key=lambda pair: _depth(pair[0])):
            self._set(values, dotted, value)
        return self.from_mapping(values)

    def _set(self, values: dict[str, Any], dotted: str, value: Any) -> None:
        *parents, last = dotted.split(".")
        here: Any = values
        for depth, part in enumerate(parents):
            place = self._place_in(here, part, dotted=dotted, parent=".".join(parents[:depth]))
            if here[place] is None:
                here[place] = {}
            here = here[place]
        if not isinstance(here, dict | list):
            raise ConfigError(f"cannot set {dotted!r}: {'.'.join(parents)!r} holds {here!r}, which has no keys")
        if isinstance(here, dict):
            if last == "kind" and here.get("kind") not in (None, value):
                here.clear()  # another kind has keys of its own, and those of the same name another default
            here.setdefault(last)
        place = self._place_in(here, last, dotted=dotted, parent=".".join(parents))
        if isinstance(value, dict) and isinstance(here[place], dict) and "kind" not in value:
            here[place] = {**here[place], **value}
        else:
            here[place] = _as_choice(value, here[place], _locate(type(self), dotted.split(".")).kinds)

    def _place_in(self, here: Any, part: str, *, dotted: str, parent: str) -> Any:
        """Return what `here` is indexed with for one part of a dotted path: a key, or a position in a list."""
        if not isinstance(here, list):
            if not isinstance(here, dict) or part not in here:
                self._refuse(dotted, parent, part, here)
            return part
        if not part.isdecimal():
            raise ConfigError(
                f"cannot set {dotted!r}: {parent!r} is a list, wanted a position in place of {part!r}",
                hint=f"for example {parent}.0; or give the whole list: {parent}=[...]",
            )
        if int(part) >= len(here):
            raise ConfigError(
                f"cannot set {dotted!r}: {parent!r} is a list of length {len(here)}",
                hint=(f"positions run from 0 to {len(here) - 1}; " if here else "")
                + f"give the whole list to make it longer: {parent}=[...]",
            )
        return int(part)

    def _refuse(self, dotted: str, parent: str, part: str, here: Any) -> typing.NoReturn:
        known = [f"{parent}.{key}" if parent else key for key in here] if isinstance(here, dict) else []
        full = f"{parent}.{part}" if parent else part
        raise ConfigError(f"unknown key {full!r} in {dotted!r}", hint=nearest_name(full, known))


def _depth(dotted: str) -> int:
    """How deep what a path replaces lies: choosing a kind replaces the config that has it."""
    return len(dotted.removesuffix(".kind").split("."))


class _OverrideLoader(yaml.SafeLoader):
    """YAML that reads 1e-3 as everyone who types it means it; YAML 1.1 wants a dot and a sign, and else sees a word."""


_OverrideLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def parse_override(word: str) -> tuple[str, Any]:
    """Split `dotted.path=value` and read the value as YAML.

    Example:
        >>> parse_override("model.width=0.5")
        ('model.width', 0.5)
        >>> parse_override("data.streams=[rgb, depth]")
        ('data.streams', ['rgb', 'depth'])

    Raises:
        ConfigError: If there is no `=` or the value is not YAML.
    """
    dotted, equals, text = word.partition("=")
    if not equals or not dotted:
        raise ConfigError(f"{word!r} is not an override", hint="write dotted.key=value, for example optimiser.lr=0.01")
    try:
        # A subclass of the safe loader: it builds numbers, words, lists and mappings, never objects.
        return dotted, yaml.load(text, Loader=_OverrideLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{word!r}: the value is not YAML ({error})") from None


def _as_choice(value: Any, current: Any, kinds: list[str]) -> Any:
    """A bare name where a config is chosen by its `kind` means that kind with its defaults; so does one in a list."""
    if not kinds:
        return value
    if isinstance(value, list):
        return [{"kind": name} if isinstance(name, str) else name for name in value]
    if isinstance(value, str):
        return current if isinstance(current, dict) and current.get("kind") == value else {"kind": value}
    return value


def _explain(error: ValidationError, cls: type[BaseModel], source: str) -> ConfigError:
    where = f"{source}: " if source else ""
    complaints: dict[str, list[str]] = {}
    hints = []
    for item in error.errors():
        place = _locate(cls, item["loc"])
        subject, complaint, hint = _complain(item["type"], item["input"], item["msg"], item.get("ctx") or {}, place)
        complaints.setdefault(subject, []).append(complaint)
        hints.append(hint)
    # Where a value may be of two types, pydantic complains once for each.
    lines = [subject + " or ".join(dict.fromkeys(found)) for subject, found in complaints.items()]
    return ConfigError(where + "; ".join(lines), hint=" ".join(dict.fromkeys(h for h in hints if h)))


def _complain(error_type: str, value: Any, text: str, context: dict[str, Any], place: _Place) -> tuple[str, str, str]:
    """Return what a complaint is about, the complaint, and its hint."""
    key = repr(".".join(place.keys))
    if error_type == "extra_forbidden":
        known = [name for model in place.models for name in model.model_fields]
        return f"unknown key {key}", "", nearest_name(place.keys[-1], known)
    if error_type == "missing":
        return f"key {key} is missing", "", ""
    if error_type == "union_tag_not_found":
        return f"key {key} has no kind", "", nearest_name("", place.kinds)
    if error_type == "union_tag_invalid":
        return f"key {key} got unknown kind {context['tag']!r}", "", nearest_name(context["tag"], place.kinds)
    hint = ""
    if isinstance(value, str) and "expected" in context:
        hint = nearest_name(value, re.findall(r"'([^']*)'", str(context["expected"])))
    message = text.removeprefix("Value error, ")
    if not place.keys:
        return "", message, hint
    # A check of several keys at once gets all of them, which would bury the message.
    shown = "" if error_type == "value_error" and isinstance(value, Mapping) else f" got {_shorten(repr(value))}"
    return f"key {key}{shown}: ", message, hint


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN_VALUE else text[: LONGEST_SHOWN_VALUE - 3] + "..."


class _Place(NamedTuple):
    """Where in a config something stands.

    Args:
        keys: The keys that lead there, as one would write them.
        models: The configs that may stand there, or that the last key was looked for in.
    """

    keys: list[str]
    models: list[type[BaseModel]]

    @property
    def kinds(self) -> list[str]:
        """The kinds to choose from; none where no config, or always the same, stands."""
        return [kind for kind in map(_kind_of, self.models) if kind is not None]


def _locate(cls: type[BaseModel], parts: Sequence[str | int]) -> _Place:
    """Follow keys, or a location as pydantic gives it, with the kinds of unions in between."""
    keys: list[str] = []
    models: list[type[BaseModel]] = [cls]
    annotation: Any = None  # of a key that holds no config
    may_be_kind = False
    for part in parts:
        chosen = [model for model in models if _kind_of(model) == part]
        if may_be_kind and chosen:
            models, may_be_kind = chosen, False
        elif _is_plain_union(annotation):
            annotation = None  # pydantic names the member of the union that it tried; that is no key
        else:
            keys.append(str(part))
            fields = [model.model_fields[part] for model in models if part in model.model_fields]
            if fields:
                models = [nested for field in fields for nested in configs_in(field.annotation)]
                annotation = None if models else fields[0].annotation
                may_be_kind = True
    return _Place(keys, models)


def _is_plain_union(annotation: Any) -> bool:
    members = typing.get_args(annotation) if _is_union(annotation) else ()
    return len([member for member in members if member is not types.NoneType]) > 1


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _kind_of(model: type[BaseModel]) -> str | None:
    kind = model.model_fields.get("kind")
    return None if kind is None else str(kind.default)


def configs_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the configs that a type names: itself, the members of a union, the elements of a tuple."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, types.GenericAlias | types.UnionType) or typing.get_origin(annotation) is not None:
        return [model for part in typing.get_args(annotation) for model in configs_in(part)]
    return []
