"""Dataclasses that are read from and written to JSON.

The keys are the field names, or the `key` in a field's metadata; a field that is None has no key.
"""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from types import UnionType
from typing import Any, Self, Union, get_args, get_origin, get_type_hints


class Json:
    """A dataclass that is read from and written to JSON."""

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Build from JSON content; unknown keys are ignored, and a missing key takes the field's default."""
        kind: Any = cls
        present = [(name, key, hint) for name, key, hint in _layout(kind) if key in content]
        return cls(**{name: _decode(hint, content[key]) for name, key, hint in present})

    def to_json(self) -> dict[str, Any]:
        """Return JSON content; a field that is None is left out."""
        kind: Any = type(self)
        values = ((key, getattr(self, name)) for name, key, _ in _layout(kind))
        return {key: _encode(value) for key, value in values if value is not None}


@cache
def _layout(kind: Any) -> list[tuple[str, str, Any]]:
    """Return name, JSON key and type of each field of a dataclass."""
    hints = get_type_hints(kind)
    return [(one.name, one.metadata.get("key", one.name), hints[one.name]) for one in fields(kind)]


def _decode(hint: Any, value: Any) -> Any:
    if get_origin(hint) in (UnionType, Union):
        hint = next(option for option in get_args(hint) if option is not type(None))
    if get_origin(hint) is dict:
        return {name: _decode(get_args(hint)[1], item) for name, item in value.items()}
    if get_origin(hint) is list:
        return [_decode(get_args(hint)[0], item) for item in value]
    return hint.from_json(value) if hasattr(hint, "from_json") and value is not None else value


def _encode(value: Any) -> Any:
    if isinstance(value, Json):
        return value.to_json()
    if isinstance(value, dict):
        return {name: _encode(item) for name, item in value.items()}
    return [_encode(item) for item in value] if isinstance(value, list) else value
