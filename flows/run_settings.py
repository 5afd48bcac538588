"""Settings that are given to a flow run: a profile, and values over it by their name, as `{"train.epochs": 4}`.

The form of a deployment knows every setting with its type and bounds, so the Prefect server refuses a wrong one before
a run exists. What depends on several settings is checked when the run starts.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import WithJsonSchema

from cgdmer import settings
from cgdmer.errors import ConfigError, did_you_mean
from cgdmer.settings import profiles
from cgdmer.settings.data import Source

Schema = dict[str, Any]
TEXTS = ("title", "description", "default", "discriminator")
"""Keys of a schema that decide nothing."""
LONGEST = 120
"""Characters of the longest label."""


def schemas() -> dict[str, Schema]:
    """Return the JSON schema of each setting by its name, for example of `train.epochs`."""
    whole = settings.Settings.model_json_schema()
    known = whole["$defs"]
    found: dict[str, Schema] = {}
    for section, content in whole["properties"].items():
        if section == "corpora":
            for source in get_args(Source):
                found |= _leaves(known["Corpus"], f"{section}.{source}", known)
        else:
            found |= _leaves(_inlined(content, known), section, known)
    return found


def _leaves(schema: Schema, name: str, known: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return the schemas of the settings below a section, or that of a single setting."""
    if "properties" not in schema:
        return {name: _inlined(schema, known)}
    below: dict[str, Schema] = {}
    for key, content in schema["properties"].items():
        below |= _leaves(_inlined(content, known), f"{name}.{key}", known)
    return below


def _inlined(schema: Any, known: Mapping[str, Schema]) -> Any:
    """Return a schema with references replaced by what they name, and without texts and defaults."""
    if isinstance(schema, list):
        return [_inlined(one, known) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if reference := schema.get("$ref"):
        return _inlined(known[reference.rsplit("/", 1)[1]], known)
    kept = {key: value for key, value in schema.items() if key not in TEXTS}
    if "properties" in kept:
        names = kept.pop("properties")
        return {**_inlined(kept, known), "properties": {key: _inlined(one, known) for key, one in names.items()}}
    return {key: _inlined(value, known) for key, value in kept.items()}


def _form() -> Schema:
    """Return the schema of the parameter `overrides`: an object with settings as keys."""
    known = schemas()
    named = {f"^{re.escape(name)}$": schema for name, schema in known.items()}
    return {"type": "object", "title": "overrides", "propertyNames": {"enum": list(known)}, "patternProperties": named}


def _profiles() -> Schema:
    """Return the schema of the parameter `profile`: one of `params/`, or none."""
    names = [name for name in profiles.names() if name not in profiles.OF_COMMANDS]
    some = {"type": "string", "enum": names} if names else {"type": "string"}
    return {"anyOf": [some, {"type": "null"}], "title": "profile"}


Profile = Annotated[str | None, WithJsonSchema(_profiles())]
Overrides = Annotated[dict[str, Any], WithJsonSchema(_form())]


def content(profile: str | None, overrides: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the settings of a run: a profile, or else those of params.yaml, with the overrides.

    ConfigError for an unknown profile or setting, and for values that do not fit.
    """
    chosen = profiles.read(profile) if profile else settings.read(profiles.PARAMS)
    names = list(schemas())
    for name, value in (overrides or {}).items():
        if name not in names:
            raise ConfigError(
                f"no setting is called '{name}'{did_you_mean(name, names)}",
                allowed="names of docs/settings.md with their section", fix='overrides={"train.epochs": 4}',
            )  # fmt: skip
        nested: Any = value
        for key in reversed(name.split(".")):
            nested = {key: nested}
        chosen = settings.merge(chosen, nested)
    settings.parse(chosen, name="profile and overrides")
    return chosen


def label(profile: str | None, overrides: Mapping[str, Any] | None) -> str:
    """Return what is special about a run, as `paper, train.epochs=4`; empty for the settings of params.yaml."""
    changes = [f"{name}={json.dumps(value)}" for name, value in sorted((overrides or {}).items())]
    text = ", ".join([*([profile] if profile else []), *changes])
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
