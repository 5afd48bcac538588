"""The model card: intended use, data, numbers by sex and age, limits and licences, all from the run itself."""

from cgdmer import datasets
from cgdmer.metrics_json import Metrics
from cgdmer.publishing import findings, groups
from cgdmer.publishing.findings import headline_cell
from cgdmer.publishing.gate import REPRESENTATION
from cgdmer.report.headline import TASK_NAMES
from cgdmer.report.table import Code, Content, Table, grid
from cgdmer.settings import Matrix, Settings
from cgdmer.tracking.record import LONGEST, Corpus

USE = """Research on 12-lead ECGs: features for linear probes, retrieval and zero-shot scores, from
`cgdmer.load_encoder("models:/cgdmer-ecg-encoder@champion")` or `mlflow models serve`. It is not a medical device and
has not been evaluated for patient care."""
LIMITS = (
    "Numbers hold for test records of the corpora named here; other devices, filters and populations were not tested.",
    "Most reports are short or machine-generated; negation and laterality are weak points of sentence encoders.",
    "Groups of fewer than {fewest} test records have no number; a group may lack some classes of the task.",
    "Shared and specific features are separated by a penalty, not by proof.",
)


def write(settings: Settings, metrics: Metrics, corpora: list[Corpus]) -> str:
    """Return the card as Markdown."""
    simulated = [corpus.name for corpus in corpora if corpus.way == "simulate"]
    limits = [line.format(fewest=groups.FEWEST) for line in LIMITS]
    if simulated:
        limits.insert(
            0,
            f"{', '.join(simulated)}: simulated by this package. Numbers on them are not clinical numbers.",
        )
    parts = {
        "Intended use": USE,
        "Data": _data(corpora),
        "Macro AUROC": _results(settings.matrix, metrics),
        "By sex and age": _groups(settings.matrix),
        "Limits": "\n".join(f"- {line}" for line in limits),
    }
    signal, versions = settings.signal, metrics.versions
    head = f"# CG-DMER encoders\n\nFeatures of ECGs in mV at {signal.fs:g} Hz, up to {signal.seconds:g} s; "
    head += f"code `{versions['code']}`, weights `{versions['model']}`."
    return "\n\n".join([head, *(f"## {title}\n\n{text}" for title, text in parts.items() if text)]) + "\n"


def _data(corpora: list[Corpus]) -> str:
    rows = [
        [corpus.name, corpus.use, corpus.way, ", ".join(f"{k} {v}" for k, v in corpus.splits.items()),
         "passed" if corpus.validated else "failed", _licence(corpus), Code(corpus.digest[:12])]
        for corpus in corpora
    ]  # fmt: skip
    return grid(Table("", ["Corpus", "Used for", "Origin", "Records", "Validation", "Licence", "Digest"], rows))


def _licence(corpus: Corpus) -> str:
    return "none: simulated" if corpus.way == "simulate" else datasets.module(corpus.name).LICENCE


def _results(matrix: Matrix, metrics: Metrics) -> str:
    rows: list[list[Content]] = []
    for task in findings.probed(matrix):
        cell = headline_cell(metrics, task)
        rows.append([TASK_NAMES[task], cell, metrics.zero_shot.get(task), str(cell.n_test)])
    intro = f"Linear probe on {REPRESENTATION} features, all labels, and zero-shot; 95% bootstrap intervals."
    return f"{intro}\n\n{grid(Table('', ['Task', 'Probe', 'Zero-shot', 'n test'], rows))}"


def _groups(matrix: Matrix) -> str:
    """Return one row per task and one column per group; empty if no corpus states sex or age."""
    names = [name for name, _ in groups.memberships()]
    rows: list[list[Content]] = []
    for task in findings.probed(matrix):
        measured = {group.name: group for group in groups.measure(task)}
        if measured:
            rows.append([TASK_NAMES[task], *(_group(measured.get(name)) for name in names)])
    return grid(Table("", ["Task", *names], rows)) if rows else ""


def _group(group: groups.Group | None) -> str | None:
    if group is None:
        return None
    return f"{group.auroc.text(2)}, n {group.records}" if group.auroc else f"n {group.records}"


def fitting(text: str) -> str:
    """Return as much of the card as the registry accepts, cut before a heading."""
    if len(text) <= LONGEST:
        return text
    pointer = "\n\nThe rest is in the artifact model_card.md of the run.\n"
    cut = text.rfind("\n## ", 0, LONGEST - len(pointer))
    return text[: cut if cut > 0 else LONGEST - len(pointer)].rstrip() + pointer
