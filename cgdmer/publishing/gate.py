"""The gate: a candidate becomes champion only if it is validated, reloadable, and not worse on the same records.

A candidate has to be shown not inferior to the champion, within a margin. Many small losses could still add up, so it
also has to be shown not inferior to a fixed reference, the first champion.
"""

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from cgdmer import tables
from cgdmer.errors import CgdmerError, DataError
from cgdmer.probing import comparison
from cgdmer.results import Interval
from cgdmer.tracking import aliases, registry, server

ENCODER, REPRESENTATION, FRACTION = "cgdmer", "pooled", "1.0"
"""The numbers that are compared."""
PREDICTIONS = "predictions"
MARGIN = 0.02
"""Macro AUROC by which a candidate may fall short of the champion and of the reference; the whole 95 % interval has to
lie above that."""
STALE = (
    "Where the data changed for good, delete the aliases champion and reference in the registry (mlflow ui) and "
    "promote again"
)


@dataclass(frozen=True)
class Decision:
    """A decision of the gate; `text` gives the reasons and what was compared."""

    passed: bool
    text: str
    facts: dict[str, Any] = field(default_factory=dict)


def decide() -> Decision:
    """Compare candidate and champion in the registry, and move the alias champion if the candidate passes."""
    candidate = aliases.alias(registry.ECG, registry.CANDIDATE)
    champion = aliases.alias(registry.ECG, aliases.CHAMPION)
    if candidate is None:
        raise DataError("there is no candidate", fix="python -m cgdmer publish")
    decision = judge(candidate, champion)
    name = f"{registry.ECG} version {candidate.version}"
    if not decision.passed:
        return Decision(False, f"{name} is not promoted: {decision.text}", decision.facts)
    again = champion is not None and champion.version == candidate.version
    moved = _move(candidate, again, decision.facts)
    text = f"{name} is the champion already" if again else f"promoted: {moved}\n{decision.text}"
    return Decision(True, text, decision.facts)


def _move(candidate: aliases.Version, again: bool, facts: dict[str, Any]) -> str:
    """Move the aliases unless all of them are already where they belong; return what was moved."""
    report = registry.version_of(server.connect(), registry.REPORT, candidate.run_id)
    leading = aliases.alias(registry.REPORT, aliases.CHAMPION)
    if again and (report is None or (leading is not None and leading.version == report)):
        return ""
    return ", ".join(f"{name} version {version}" for name, version in aliases.promote(candidate, facts).items())


def judge(candidate: aliases.Version, champion: aliases.Version | None) -> Decision:
    """Check the candidate, cheap checks first; the first that fails decides."""
    if champion is not None and champion.version == candidate.version:
        return Decision(True, "")
    if left := candidate.tags.get(aliases.ROLLED_BACK):
        return Decision(False, f"it was rolled back at {left}; delete its tag {aliases.ROLLED_BACK} to try it again")
    tags = aliases.run_tags(candidate.run_id)
    verdicts = {k.split(".", 1)[1]: v for k, v in tags.items() if k.startswith("validation.")}
    if red := sorted(name for name, verdict in verdicts.items() if verdict != "passed"):
        return Decision(False, f"validation of {', '.join(red)} is red; see python -m cgdmer check {red[0]}")
    if not verdicts:
        return Decision(False, f"run {candidate.run_id} has no validation result")
    difference = registry.reload_difference(f"models:/{registry.ECG}/{candidate.version}")
    if not difference <= registry.TOLERANCE:
        return Decision(False, f"reloaded weights give features that differ by {difference:.2g} from those registered; "
                        f"{registry.TOLERANCE:g} is allowed")  # fmt: skip
    facts = {"validated": sorted(verdicts), "reload_difference": difference}
    if champion is None:
        return Decision(True, "there was no champion to compare with", facts | {"first": True})
    decision = compare(candidate, champion, aliases.alias(registry.ECG, aliases.REFERENCE) or champion)
    return Decision(decision.passed, decision.text, facts | decision.facts)


def compare(candidate: aliases.Version, champion: aliases.Version, reference: aliases.Version) -> Decision:
    """Compare with the champion and with the reference, on all tasks that they have."""
    with tempfile.TemporaryDirectory() as folder:
        fetch = cache(lambda run: registry.predictions(run, Path(folder) / run, PREDICTIONS))
        first = _compare_with(candidate, champion, "champion", fetch)
        if not first.passed or reference.version == champion.version:
            return first
        second = _compare_with(candidate, reference, "reference", fetch)
    facts = first.facts | {"reference": reference.version, "reference_differences": second.facts["differences"]}
    return Decision(second.passed, f"{first.text}\n{second.text}" if second.passed else second.text, facts)


Fetch = Callable[[str], Mapping[str, Path]]
"""Downloads the predictions of a run, one file per task."""


def _compare_with(candidate: aliases.Version, other: aliases.Version, role: str, fetch: Fetch) -> Decision:
    """Compare a candidate with another version, the `champion` or the `reference`, on the tasks of that one."""
    against = f"{role} version {other.version}"
    try:
        lines = _differences(fetch(candidate.run_id), fetch(other.run_id))
    except CgdmerError as error:
        text = f"it cannot be compared with {against}: {error.problem}. {STALE}"
        return Decision(False, text, {role: other.version, "differences": {}})
    mean = lines["mean over tasks"]
    text = "\n".join(f"  {task:<16} {difference.text(4, signed=True)}" for task, difference in lines.items())
    facts = {role: other.version, "differences": {t: [d.mean, d.low, d.high] for t, d in lines.items()}}
    reason = objection(mean)
    head = f"macro AUROC is {reason or 'not worse'} than that of {against}"
    scale = f"{REPRESENTATION} features, label share {FRACTION}; difference and 95% paired interval"
    return Decision(not reason, f"{head} ({scale})\n{text}", _rounded(facts))


def objection(mean: Interval) -> str:
    """Return why a difference of the mean over tasks is too bad for the gate, or nothing.

    An interval entirely below zero shows a loss. One that reaches below the margin does not exclude a loss that
    matters, either because there is one or because there are too few test records to tell.
    """
    if mean.high < 0:
        return "worse"
    if mean.low < -MARGIN:
        return f"not shown to be less than {MARGIN:g} worse"
    return ""


def _differences(ours: Mapping[str, Path], theirs: Mapping[str, Path]) -> dict[str, comparison.Difference]:
    """Return the differences by task, and that of their mean; DataError if the predictions cannot be compared."""
    if lost := sorted(set(theirs) - set(ours)):
        raise DataError(f"the candidate has no predictions of {', '.join(lost)}")
    pairs = {task: comparison.paired(tables.read(ours[task]), tables.read(theirs[task])) for task in theirs}
    by_task = {task: comparison.compare_tasks({task: pair}) for task, pair in pairs.items()}
    return by_task | {"mean over tasks": comparison.compare_tasks(pairs)}


def _rounded(facts: dict[str, Any]) -> dict[str, Any]:
    differences = {task: [round(float(x), 5) for x in values] for task, values in facts["differences"].items()}
    return facts | {"differences": differences}


def anonymous(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the headline predictions with hashed record ids, so that no identifier reaches a server."""
    largest = float(frame["fraction"].max())  # type: ignore[arg-type]
    share = float(FRACTION) if float(FRACTION) in frame["fraction"].unique() else largest
    chosen = frame.filter(pl.col("fraction").eq(share) & pl.col("representation").eq(REPRESENTATION))
    return chosen.with_columns(pl.col("id").map_elements(hashed, return_dtype=pl.String))


def hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]
