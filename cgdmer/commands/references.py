"""The reference recordings of each probe, and percentiles of probabilities among them.

For the probes of a packaged encoder they are the test records on which the probes were measured; for a probe of
`cgdmer fit` the user's own recordings, scored out of fold; for a probe of the pipeline the test records that the stage
`probe` scored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cgdmer.commands import provenance
from cgdmer.commands.outputs import Columns
from cgdmer.commands.own_probes import OwnProbes
from cgdmer.errors import DataError
from cgdmer.files import sha256
from cgdmer.probing import linear_probe_io, reference
from cgdmer.probing.linear_probe_io import FittedProbe
from cgdmer.probing.reference import Quantiles, Reference
from cgdmer.sharing import about

OWN = "your own"
"""Origin of the recordings of a probe of `cgdmer fit`."""
ORIGINS = {provenance.SIMULATED: "SIMULATED", provenance.UNKNOWN: "unknown origin"}
"""The words for an origin in lines of text; other origins are shown by their name."""
TEST = "held-out test records"


@dataclass(frozen=True, eq=False)
class References:
    """The reference recordings of each probe, or the reason why it has none."""

    quantiles: Mapping[str, Quantiles] = field(default_factory=dict)
    """Of the probabilities of each column `probe/TASK/CLASS`, at the prevalence at which the column is written."""
    probes: Mapping[str, tuple[str, Reference]] = field(default_factory=dict)
    """Origin of the recordings, and reference, by task or name of the probe."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Why a probe has none, by task or name."""

    def by_column(self, columns: Columns) -> dict[str, np.ndarray]:
        """Return the percentiles (n,) by column of probabilities (n,), for those that have a reference."""
        return {
            column: reference.percentiles(np.asarray(columns[column]), quantiles)
            for column, quantiles in self.quantiles.items()
        }

    def columns(self, columns: Columns) -> Columns:
        """Return the same as columns `percentile/TASK/CLASS` of a table."""
        return {reference.column(name): values for name, values in self.by_column(columns).items()}

    def metadata(self) -> dict[str, Any]:
        """Return the entries that describe them in the metadata of an output."""
        stated = {
            name: {"recordings": each.recordings, "origin": origin, "n": dict(zip(each.classes, each.counts,
                                                                                  strict=True))}
            for name, (origin, each) in self.probes.items()
        }  # fmt: skip
        return {"references": stated, "without_reference": dict(self.absent)}

    def lines(self) -> list[str]:
        """Return lines that name the reference recordings, and why a probe has none; [] without any probe."""
        groups: dict[str, list[str]] = {}
        for name, (origin, each) in self.probes.items():
            said = ORIGINS.get(origin, origin)
            groups.setdefault(f"{each.recordings} ({said})", []).append(f"{name} ({_count(each)})")
        lines = [f"percentiles compare with {what}: {', '.join(names)}" for what, names in groups.items()]
        reasons = dict.fromkeys(self.absent.values())
        return lines + [f"no percentiles for {', '.join(self._without(reason))}: {reason}" for reason in reasons]

    def _without(self, reason: str) -> list[str]:
        return [name for name, why in self.absent.items() if why == reason]


def _count(each: Reference) -> str:
    fewest, most = min(each.counts), max(each.counts)
    return f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"


def find(probes: Mapping[Path, FittedProbe], layer: str, own: OwnProbes, origins: Mapping[str, str]) -> References:
    """Return the references of `probes` of tasks, by file, which read the representation `layer`, and of `own` probes.

    `origins` is the origin of the recordings by task. DataError for a reference that is damaged or of another probe.
    """
    quantiles: dict[str, Quantiles] = {}
    present: dict[str, tuple[str, Reference]] = {}
    absent: dict[str, str] = {}
    for path, probe in probes.items():
        known = _of_task(path, probe, layer)
        if isinstance(known, str):
            absent[probe.task] = known
            continue
        present[probe.task] = origins[probe.task], known
        quantiles |= {f"probe/{probe.task}/{name}": known.probabilities(name) for name in probe.classes}
    for mine in own.probes.values():
        if (kept := mine.reference) is None:
            absent[mine.name] = "it was fitted before the out-of-fold scores were kept; fit it again"
            continue
        present[mine.name] = OWN, kept
        shifted = {name: kept.probabilities(name, own.shift(mine, name)) for name in mine.classes}
        quantiles |= {f"probe/{mine.name}/{name}": each for name, each in shifted.items()}
    return References(quantiles, present, absent)


def files(probes: Sequence[Path]) -> list[Path]:
    """Return the files that `find` reads for probes of tasks."""
    return [path for probe in probes for path in (reference.beside(probe), _predictions(probe)) if path.is_file()]


def _predictions(probe: Path) -> Path:
    """Return the table of test scores that the stage probe writes beside a fitted probe."""
    return probe.with_name(probe.name.removesuffix(linear_probe_io.SUFFIX) + ".parquet")


def _of_task(path: Path, probe: FittedProbe, layer: str) -> Reference | str:
    """Return the reference of a fitted probe, or why it has none."""
    stored = reference.beside(path)
    if stored.is_file():
        return reference.load(stored, sha256(path), probe.classes, "python -m cgdmer package --references")
    if path.parent.name == about.PROBES:
        return "the encoder was packaged without the scores of its test records"
    if not _predictions(path).is_file():
        return "the test scores of the stage probe are not beside the file of the probe"
    return _of_predictions(_predictions(path), probe, layer)


def _of_predictions(path: Path, probe: FittedProbe, layer: str) -> Reference:
    """Return the reference from the test scores of the probe with most labels; DataError if the table lacks them."""
    names = [f"score/{name}" for name in probe.classes]
    try:
        table = pl.read_parquet(path, columns=["fraction", "representation", "seed", *names])
        table = table.filter(pl.col("representation") == layer)
        table = table.filter(pl.col("fraction") == pl.col("fraction").max())
        table = table.filter(pl.col("seed") == pl.col("seed").min())
        scores = [table[name].to_numpy() for name in names]
        return reference.of_scores(TEST, "", probe.classes, scores)
    except (OSError, ValueError, IndexError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path} does not hold the test scores of its probe", fix="dvc repro probe") from error
