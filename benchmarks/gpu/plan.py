"""The sizes of the benchmark: those of the paper profile for a GPU, and small ones that prove the code on a CPU."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.pretrain_setup import build, lay_out
from cgdmer import objectives, settings
from cgdmer.distributed import World, choose_device
from cgdmer.shards import open_shards
from cgdmer.training.engine import Engine

FULL, SMOKE = "full", "smoke"
TINY: dict[str, Any] = {
    "model": {"width": 32, "depth": 1, "projection": 16, "text_width": 32, "text_depth": 1, "vocabulary": 64},
}


@dataclass(frozen=True)
class Plan:
    """The sizes of all parts."""

    name: str
    profile: str
    patience: float = 1.0
    """Factor of all limits of time."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """Settings that differ from the profile."""
    records: int = 512
    words: int = 40
    """Words of a report."""
    batches: tuple[int, ...] = (512, 256, 128, 64, 32, 16, 8)
    """Batches of throughput, largest first; the first that fits in memory is timed."""
    memory_batches: tuple[int, ...] = (128, 256, 512)
    steps: int = 15
    """Steps that are timed."""
    compiler: str = "inductor"
    plain_batches: tuple[int, ...] = (32, 16, 8)
    plain_steps: int = 2
    accumulated: int = 32
    """Records of the step whose division is compared."""
    curve_batch: int = 32
    curve_steps: int = 40
    resume_batch: int = 32
    resume_epochs: int = 2
    checkpoints: int = 2
    encoded: int = 2048
    """Records that are encoded in batches, with repetitions."""
    encoded_singly: int = 100
    probe_records: tuple[int, int, int] = (17_084, 2_146, 2_158)
    """Records of train, val and test; those of PTB-XL Super."""
    probe_width: int = 768
    probe_fits: int = 4
    """Fits of scikit-learn that are timed at each fraction of the labels."""

    def chosen(self, **train: Any) -> settings.Settings:
        """Return the settings of the profile, with keys of section train changed; eager unless `compile` is given."""
        return settings.parse(settings.merge(self.content(), {"train": {"compile": False} | train}))

    def content(self) -> dict[str, Any]:
        """Return the settings of the profile and the overrides, as they are read from YAML."""
        base, overlay = (settings.read(Path(f"params/{name}.yaml")) for name in ("demo", self.profile))
        return settings.merge(settings.merge(base, overlay), self.overrides)

    def small(self) -> "Plan":
        """Return the plan with the model of the demo on the signals of this profile."""
        changed = self.overrides if self.profile == "demo" else {}
        return replace(self, profile="demo", overrides=settings.merge(changed, {"signal": self.content()["signal"]}))


PLANS = {
    FULL: Plan(FULL, "paper"),
    SMOKE: Plan(
        SMOKE, "demo", patience=10, overrides=TINY, records=32, words=12, batches=(16,), memory_batches=(8, 16),
        steps=3, compiler="eager", plain_batches=(8,), plain_steps=1, accumulated=12, curve_batch=8, curve_steps=6,
        resume_batch=8, checkpoints=2, encoded=64, encoded_singly=4, probe_records=(120, 40, 40), probe_width=8,
        probe_fits=2,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """What a part gets: the sizes, the records, and a folder of its own."""

    plan: Plan
    corpus: Path
    """The records as WFDB and as shards, from `write_corpus`."""
    scratch: Path

    @property
    def reports(self) -> list[str]:
        """The reports of the corpus, in order."""
        rows: list[str] = open_shards(self.corpus).columns("report")["report"].to_list()
        return rows

    def engine(self, device: torch.device | None = None, **train: Any) -> Engine:
        """Return an engine with a freshly drawn model of the profile, and keys of section train changed."""
        chosen = self.plan.chosen(**train)
        return Engine(self.task(chosen), chosen.train, World(0, 1, device or choose_device()))

    def task(self, chosen: settings.Settings) -> objectives.Objective:
        """Return a freshly drawn model with its losses."""
        return build(chosen, self.reports)


def write_corpus(plan: Plan, folder: Path) -> None:
    """Write the records that all parts read."""
    lay_out(folder, plan.chosen().signal, plan.records, plan.words)
