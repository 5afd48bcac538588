"""Variants of the method: params/encoder.yaml with the changes of one file, trained for a fixed budget."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cgdmer import settings
from cgdmer.commands import training_code
from cgdmer.errors import ConfigError, did_you_mean
from cgdmer.files import work_key
from cgdmer.settings import profiles

FOLDER = Path(__file__).with_name("overlays")
BASE = "base"
"""The variant that changes nothing; every other one is compared with it."""


@dataclass(frozen=True)
class Budget:
    """How long every variant is trained, and how often."""

    passes: int
    seeds: int
    pool: int


QUICK = Budget(passes=20_000, seeds=3, pool=2048)
"""About ten minutes for a variant on two cores, scoring included."""
LONG = Budget(passes=120_000, seeds=3, pool=8192)
"""About an hour. A small budget misleads, so an idea counts only if it wins here too."""


@dataclass(frozen=True)
class Variant:
    """One variant, by name, and what it changes."""

    name: str
    overlay: dict[str, Any]
    budget: Budget

    def config(self, number: int) -> settings.Settings:
        """Return the settings of pretraining `number`, from 0."""
        return settings.parse(self._content(number), name=f"variant {self.name}")

    def _content(self, number: int) -> dict[str, Any]:
        content = settings.merge(profiles.read("encoder"), self.overlay)
        batch, seed = content["train"]["batch"], content["train"]["seed"]
        simulated = {"records": self.budget.passes, "pool": self.budget.pool}
        fixed = {"epochs": 1, "seed": seed + number, "held_out": 0, "checkpoint_steps": max(1, 12_800 // batch)}
        return settings.merge(content, {"pretraining_set": {"simulated": simulated}, "train": fixed})

    @cached_property
    def key(self) -> str:
        """16 hex digits that change with the variant's settings, its budget, and the code that trains it."""
        return work_key([self._content(number) for number in range(self.budget.seeds)], training_code.digest())


def known() -> list[str]:
    """Return the names of the variants in `overlays/`."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def find(name: str, budget: Budget) -> Variant:
    """Return a variant by the path of its YAML file or by the name of one in `overlays/`; ConfigError without one."""
    if name == BASE:
        return Variant(BASE, {}, budget)
    path = Path(name) if name.endswith(".yaml") else FOLDER / f"{name}.yaml"
    if not path.is_file():
        names = [BASE, *known()]
        raise ConfigError(
            f"there is no variant '{name}'{did_you_mean(name, names)}",
            allowed=f"{', '.join(names)}, or a YAML file with settings over {profiles.PROFILES}/encoder.yaml",
            fix=f"write {path}",
        )
    return Variant(path.stem, settings.read(path), budget)
