"""Owns the model card: data, intended use, numbers by sex and age, limits, licences; made from the run alone."""

from collections.abc import Mapping
from typing import Any

from cgdmer import datasets
from cgdmer.probing.bootstrap import Interval
from cgdmer.publishing import findings, groups
from cgdmer.publishing.gate import ENCODER, FRACTION, REPRESENTATION
from cgdmer.report.headline import TASK_NAMES
from cgdmer.report.markdown import grid
from cgdmer.settings import Settings
from cgdmer.tracking.record import LONGEST, Corpus

USE = """Research on 12-lead ECGs: features for linear probes, retrieval and zero-shot scores, from
`cgdmer.load_encoder("models:/cgdmer-ecg-encoder@champion")` or `mlflow models serve`. It is not a medical device and
was not evaluated for the care of patients."""
LIMITS = (
    "Numbers hold for test records of the corpora named here; other devices, filters and populations were not tested.",
    "Report texts are machine statements or short; negation and laterality are weak points of sentence encoders.",
    "Groups of fewer than {fewest} test records have no number; a group's classes may be fewer than the task's.",
    "Shared and specific features are separated by a penalty, not by proof.",
)


def write(settings: Settings, metrics: Mapping[str, Any], corpora: list[Corpus]) -> str:
    """Return the card as Markdown."""
    simulated = [corpus.name for corpus in corpora if corpus.way == "simulate"]
    limits = [line.format(fewest=groups.FEWEST) for line in LIMITS]
    if simulated:
        limits.insert(0, f"{', '.join(simulated)}: simulated by this package. These are no clinical numbers.")
    parts = {
        "Intended use": USE,
        "Data": _data(corpora),
        "Macro AUROC": _results(metrics),
        "By sex and age": _groups(),
        "Limits": "\n".join(f"- {line}" for line in limits),
    }
    form, made = settings.signal, metrics["versions"]
    head = f"# CG-DMER encoders\n\nFeatures of ECGs in mV at {form.fs:g} Hz, up to {form.seconds:g} s; "
    head += f"code `{made['code']}`, weights `{made['model']}`."
    return "\n\n".join([head, *(f"## {title}\n\n{text}" for title, text in parts.items() if text)]) + "\n"


def _data(corpora: list[Corpus]) -> str:
    rows = [
        [corpus.name, corpus.use, corpus.way, ", ".join(f"{k} {v}" for k, v in corpus.splits.items()),
         "passed" if corpus.validated else "failed", _licence(corpus), f"`{corpus.digest[:12]}`"]
        for corpus in corpora
    ]  # fmt: skip
    return grid(["Corpus", "Used for", "Came by", "Records", "Validation", "Licence", "Digest"], rows)


def _licence(corpus: Corpus) -> str:
    return "none: simulated" if corpus.way == "simulate" else datasets.module(corpus.name).LICENCE


def _results(metrics: Mapping[str, Any]) -> str:
    rows = []
    for task in findings.probed():
        fractions = metrics["auroc"][task]
        cell = fractions[FRACTION if FRACTION in fractions else max(fractions, key=float)][ENCODER][REPRESENTATION]
        zero = metrics["zero_shot"].get(task)
        rows.append([TASK_NAMES[task], _cell(cell), _cell(zero) if zero else "–", str(cell["n_test"])])
    intro = f"Linear probe on {REPRESENTATION} features, all labels, and zero-shot; 95 % bootstrap intervals."
    return f"{intro}\n\n{grid(['Task', 'Probe', 'Zero-shot', 'n test'], rows)}"


def _groups() -> str:
    """Return one row a task and one column a group; nothing where no corpus states sex or age."""
    names = [name for name, _ in groups.conditions()]
    rows = []
    for task in findings.probed():
        found = {group.name: group for group in groups.measure(task)}
        if found:
            rows.append([TASK_NAMES[task], *(_group(found.get(name)) for name in names)])
    return grid(["Task", *names], rows) if rows else ""


def _group(group: groups.Group | None) -> str:
    if group is None:
        return "–"
    return f"{_interval(group.auroc)}, n {group.records}" if group.auroc else f"n {group.records}"


def _interval(found: Interval) -> str:
    return f"{found.mean:.2f} ({found.low:.2f} to {found.high:.2f})"


def _cell(cell: Mapping[str, Any]) -> str:
    return f"{cell['mean']:.3f} ({cell['low']:.3f} to {cell['high']:.3f})"


def fitting(text: str) -> str:
    """Return as much of the card as a registry takes, cut before a heading."""
    if len(text) <= LONGEST:
        return text
    rest = "\n\nThe rest is in the artifact model_card.md of the run.\n"
    cut = text.rfind("\n## ", 0, LONGEST - len(rest))
    return text[: cut if cut > 0 else LONGEST - len(rest)].rstrip() + rest
