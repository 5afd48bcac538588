"""Switching between settings profiles: `params.yaml` becomes `params/NAME.yaml` merged into the demo profile."""

from pathlib import Path

import yaml

from cgdmer import settings
from cgdmer.errors import ConfigError, did_you_mean
from cgdmer.files import write_text

PROFILES = Path("params")
BASE = PROFILES / "demo.yaml"
"""Every setting of the demo; `params.yaml` starts as a copy of it."""


def names() -> list[str]:
    """Return the profiles in `params/`, sorted."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def switch(name: str) -> str:
    """Write `params.yaml` for a profile and return a message.

    Raises ConfigError for an unknown profile and for one with wrong settings; `params.yaml` then stays as it was.
    """
    overlay = PROFILES / f"{name}.yaml"
    if name not in names():
        raise ConfigError(
            f"no profile is called '{name}'{did_you_mean(name, names())}",
            allowed=", ".join(names()),
            fix="cgdmer profile demo",
        )
    if overlay == BASE:
        write_text(Path("params.yaml"), BASE.read_text(encoding="utf-8"))
        return "params.yaml is the demo profile; next: dvc repro"
    merged = settings.merge(settings.read(BASE), settings.read(overlay))
    settings.parse(merged, name=str(overlay))
    body = yaml.safe_dump(merged, sort_keys=False, default_flow_style=None, width=110)
    write_text(Path("params.yaml"), f"# Profile {name}: params/{name}.yaml over params/demo.yaml.\n{body}")
    return f"params.yaml is profile {name}; next: dvc repro"
