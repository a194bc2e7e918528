"""The frozen base of every config: unknown keys refused with the nearest name, YAML in and out, key=value overrides.

A config stands beside the component that it describes. Values come from Python, from a YAML file or from the command
line as `dotted.path=value`; all three are checked by the same pydantic model.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from mudra.errors import ConfigError, nearest_name


def _require_odd(value: int) -> int:
    if value < 1 or value % 2 == 0:
        raise ValueError(f"{value} is not an odd number from 1 on")
    return value


OddInt = Annotated[int, AfterValidator(_require_odd)]


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
        frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True, protected_namespaces=()
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
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not YAML ({error})") from None
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: holds {type(values).__name__}, wanted keys and values")
        return cls.from_mapping(values, source=str(path))

    def to_yaml(self) -> str:
        """Return the config as YAML that `from_yaml` reads back to an equal config."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    def with_overrides(self, overrides: Iterable[str] | Mapping[str, Any]) -> Self:
        """Return a copy with values replaced, checked again.

        Args:
            overrides: `dotted.path=value` words, the value as YAML; or a mapping from dotted path to value.

        Raises:
            ConfigError: If a word has no `=`, a key is unknown or a value does not fit.
        """
        pairs = overrides.items() if isinstance(overrides, Mapping) else map(parse_override, overrides)
        values = self.model_dump(mode="json")
        for dotted, value in pairs:
            self._set(values, dotted, value)
        return self.from_mapping(values)

    def _set(self, values: dict[str, Any], dotted: str, value: Any) -> None:
        *parents, last = dotted.split(".")
        here: Any = values
        for depth, part in enumerate(parents):
            if not isinstance(here, dict) or part not in here:
                self._refuse(dotted, ".".join(parents[:depth]), part, here)
            if here[part] is None:
                here[part] = {}
            here = here[part]
        if not isinstance(here, dict):
            raise ConfigError(f"cannot set {dotted!r}: {'.'.join(parents)!r} holds {here!r}, which has no keys")
        if isinstance(value, dict) and isinstance(here.get(last), dict) and "kind" not in value:
            here[last] = {**here[last], **value}
        else:
            here[last] = _as_choice(value, here.get(last))

    def _refuse(self, dotted: str, parent: str, part: str, here: Any) -> typing.NoReturn:
        known = [f"{parent}.{key}" if parent else key for key in here] if isinstance(here, dict) else []
        full = f"{parent}.{part}" if parent else part
        raise ConfigError(f"unknown key {full!r} in {dotted!r}", hint=nearest_name(full, known))


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
        return dotted, _number(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ConfigError(f"{word!r}: the value is not YAML ({error})") from None


def _number(value: Any) -> Any:
    # YAML 1.1 reads 1e-3 as a string; everyone who types it means the number.
    if isinstance(value, str):
        try:
            return float(value) if "e" in value.lower() and value[0] in "0123456789.+-" else value
        except ValueError:
            return value
    return value


def _as_choice(value: Any, current: Any) -> Any:
    """A bare name given for a config chosen by its `kind` means that kind with its defaults."""
    if isinstance(value, str) and isinstance(current, dict) and "kind" in current:
        return current if value == current["kind"] else {"kind": value}
    return value


def _explain(error: ValidationError, cls: type[BaseModel], source: str) -> ConfigError:
    where = f"{source}: " if source else ""
    lines, hints = [], []
    for item in error.errors():
        path = [str(part) for part in item["loc"]]
        dotted = ".".join(path)
        if item["type"] == "extra_forbidden":
            lines.append(f"unknown key {dotted!r}")
            hints.append(nearest_name(path[-1], _known_keys(cls, path[:-1])))
        elif item["type"] == "missing":
            lines.append(f"key {dotted!r} is missing")
        else:
            message = item["msg"].removeprefix("Value error, ")
            lines.append(f"key {dotted!r} got {item['input']!r}: {message}" if dotted else message)
            expected = (item.get("ctx") or {}).get("expected_tags") or (item.get("ctx") or {}).get("expected")
            if expected and isinstance(item["input"], str):
                hints.append(
                    nearest_name(item["input"], [w.strip(" '") for w in str(expected).replace(" or ", ",").split(",")])
                )
    return ConfigError(where + "; ".join(lines), hint=" ".join(dict.fromkeys(h for h in hints if h)))


def _known_keys(cls: type[BaseModel], path: list[str]) -> list[str]:
    models: list[type[BaseModel]] = [cls]
    for part in path:
        nested = [
            m for model in models if part in model.model_fields for m in configs_in(model.model_fields[part].annotation)
        ]
        # Union members put their tag into the location; it is no key, so the models stay the same.
        models = nested or [m for m in models if _tag(m) == part] or models
    return [key for model in models for key in model.model_fields]


def _tag(model: type[BaseModel]) -> str | None:
    kind = model.model_fields.get("kind")
    return None if kind is None else str(kind.default)


def configs_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the configs that a type names: itself, the members of a union, the elements of a tuple."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, types.GenericAlias | types.UnionType) or typing.get_origin(annotation) is not None:
        return [model for part in typing.get_args(annotation) for model in configs_in(part)]
    return []
