"""Which model an operation uses: an alias or a version of the registry, or anything that `load_encoder` takes."""

import re
from dataclasses import dataclass
from pathlib import Path

from cgdmer.errors import ConfigError

REGISTERED = "cgdmer-ecg-encoder"


@dataclass(frozen=True)
class Model:
    """An encoder by the address that `load_encoder` takes; of a registered one, its version at this moment."""

    address: str
    label: str
    version: str = ""
    """Version in the registry; empty for one that is not registered."""


def resolve(name: str) -> Model:
    """Return the model that a name means: `champion`, `3`, `models:/NAME@ALIAS`, `cgdmer-base` or a folder.

    A word without a slash is an alias of the registry, so that a run keeps the version that the alias has now.
    ConfigError if there is no such alias.
    """
    if re.fullmatch(r"\d+", name):
        return Model(f"models:/{REGISTERED}/{name}", f"{REGISTERED} version {name}", name)
    match = re.fullmatch(r"models:/([\w. -]+)@([\w. -]+)", name)
    if match or (re.fullmatch(r"[\w-]+", name) and name != "cgdmer-base"):
        return _alias(*(match.groups() if match else (REGISTERED, name)))
    return Model(name, name)


def _alias(registered: str, which: str) -> Model:
    from cgdmer.tracking import aliases, server

    if server.uri().startswith("sqlite:///") and not Path(server.uri().removeprefix("sqlite:///")).exists():
        raise ConfigError(  # asking would create the database
            f"there is no registry here that could know the alias '{which}'",
            allowed="a project with mlflow.db, cgdmer-base, or the folder of a model, as ./NAME",
            fix="export MLFLOW_TRACKING_URI=http://HOST:PORT, or --model cgdmer-base (deployment: -p model=...)",
        )
    with server.explained():
        version = aliases.alias(registered, which)
    if version is None:
        raise ConfigError(
            f"{registered} has no alias '{which}'",
            allowed="champion, candidate, a version number, cgdmer-base, or the folder of a model, as ./NAME",
            fix="python -m cgdmer publish && python -m cgdmer promote",
        )
    label = f"{registered} version {version.version} ({which})"
    return Model(f"models:/{registered}/{version.version}", label, version.version)
