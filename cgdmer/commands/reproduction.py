"""How far this run is from the committed results, and which tracked files it changed; for the end of `make demo`."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cgdmer import paths
from cgdmer.files import read_json
from cgdmer.report.headline import METHOD, TASK_NAMES, name_of, percent

LARGEST, MEAN = 0.06, 0.02
"""Tolerance for another kind of CPU: the largest and the mean absolute difference in AUROC over the numbers of the
method. An Intel Xeon and an AMD EPYC differed by up to 0.049 and by 0.012 on average (docs/protocols.md,
Reproducibility)."""
CONTROLS = 0.001
"""Tolerance for the controls, which train nothing: these two machines gave equal numbers."""
SHOWN = 0.0005
"""A smaller difference does not show in a table."""
RESULTS = ("dvc.lock", "reports/")
"""Tracked files that a run writes."""


@dataclass(frozen=True)
class Change:
    """One number of this run and of the committed one."""

    task: str
    encoder: str
    what: str
    """Representation and label share, or `zero-shot`."""
    size: float
    """Absolute difference in macro AUROC."""


def summary() -> str:
    """Return the lines to print; '' outside a git checkout or without committed results."""
    committed = _git("show", f"HEAD:./{paths.METRICS.as_posix()}")
    if committed is None:
        return ""
    if _git("show", "HEAD:./params.yaml") != _own_params():
        return "Not compared with the committed results: params.yaml is not that of the committed run."
    changes = list(compare(read_json(paths.METRICS), json.loads(committed)))
    head = (_git("rev-parse", "--short", "HEAD") or "").strip()
    return "\n".join([*verdict(changes, f"the committed results ({paths.METRICS} at {head})"), *tracked(changes)])


def compare(run: Mapping[str, Any], committed: Mapping[str, Any]) -> Iterator[Change]:
    """Yield every macro AUROC that both contents of metrics.json hold."""
    for task, fractions in run["auroc"].items():
        for fraction, encoders in fractions.items():
            for encoder, kinds in encoders.items():
                before = committed["auroc"].get(task, {}).get(fraction, {}).get(encoder, {})
                for kind in kinds.keys() & before.keys():
                    size = abs(kinds[kind]["mean"] - before[kind]["mean"])
                    yield Change(task, encoder, f"{kind}, {percent(fraction)}", size)
    for task in run.get("zero_shot", {}).keys() & committed.get("zero_shot", {}).keys():
        size = abs(run["zero_shot"][task]["mean"] - committed["zero_shot"][task]["mean"])
        yield Change(task, METHOD, "zero-shot", size)


def verdict(changes: list[Change], where: str) -> list[str]:
    """Say how far the numbers are from those of `where`, by task and in all, and whether that is within tolerance."""
    if not changes:
        return ["Not compared with the committed results: they hold none of these numbers."]
    if max(change.size for change in changes) < SHOWN:
        return [f"Every AUROC equals that of {where} to three decimals."]
    method = [change for change in changes if change.encoder == METHOD]
    controls = [change for change in changes if change.encoder != METHOD]
    lines = [f"Absolute AUROC difference from {where}, all label shares, features and zero-shot:"]
    for task in TASK_NAMES if method and max(change.size for change in method) >= SHOWN else ():
        if of_task := [change for change in method if change.task == task]:
            lines.append(f"  {TASK_NAMES[task]:15} {_sizes(of_task)}")
    if method:
        lines.append(f"  {name_of(METHOD) + ', all':15} {_sizes(method)}: {_judged(method)}")
    if controls:
        far = not within(controls)
        means = "the code or the versions differ" if far else f"within the tolerance of {CONTROLS:g}"
        lines.append(f"  {'controls':15} {_sizes(controls)}: {means}")
    return lines


def _sizes(changes: list[Change]) -> str:
    top = max(changes, key=lambda change: change.size)
    mean = sum(change.size for change in changes) / len(changes)
    of = f"{name_of(top.encoder)}, " if top.encoder != METHOD else ""
    return f"largest {top.size:.3f} ({of}{top.what}), mean {mean:.3f}"


def _judged(changes: list[Change]) -> str:
    return (
        f"{'within' if within(changes) else 'BEYOND'} the tolerance for another kind of CPU "
        f"(largest {LARGEST:g}, mean {MEAN:g})"
    )


def within(changes: list[Change]) -> bool:
    """Return True if the differences of the method and those of the controls are within their tolerances."""
    method = [change.size for change in changes if change.encoder == METHOD]
    controls = [change.size for change in changes if change.encoder != METHOD]
    near = not method or (max(method) <= LARGEST and sum(method) / len(method) <= MEAN)
    return near and max(controls, default=0.0) <= CONTROLS


def tracked(changes: list[Change]) -> list[str]:
    """Say which tracked files differ from the commit, and why the results among them do."""
    status = _git("status", "--porcelain", "--untracked-files=no", "--", ".") or ""
    files = sorted(line[3:].split(" -> ")[-1] for line in status.splitlines())
    results = [file for file in files if file.startswith(RESULTS)]
    others = [file for file in files if file not in results]
    if not files:
        return ["git: no tracked file has changed."]
    lines = []
    if results:
        why = "the code or the settings differ from the commit" if others else _why(changes)
        listed = ", ".join(results[:4]) + (f" and {len(results) - 4} more" if len(results) > 4 else "")
        lines.append(f"git: this run changed {listed}, because {why}.")
        lines.append(
            "git stash push dvc.lock reports shows the committed results, and git stash pop those of this run again; "
            "data/ stays as it is."
        )
    if others:
        lines.append(f"git: not from this run: {', '.join(others[:6])}{' ...' if len(others) > 6 else ''}.")
    return lines


def _why(changes: list[Change]) -> str:
    """Return why results of unchanged code differ from the committed ones."""
    if max((change.size for change in changes), default=0.0) < SHOWN:
        return "the code, versions or times of a run are noted there; the numbers are the same"
    if max((change.size for change in changes if change.encoder != METHOD), default=0.0) > CONTROLS:
        return "the committed results are of other code or other library versions"
    return "this machine rounds differently from the one whose results are committed"


def _own_params() -> str | None:
    try:
        with open("params.yaml", encoding="utf-8") as file:
            return file.read()
    except OSError:
        return None


def _git(*arguments: str) -> str | None:
    """Return what git prints; None without git, outside a checkout, or if it fails."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
