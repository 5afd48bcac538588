"""Marks numbers on corpora that an encoder's pretraining has read, and says how to get those of the method without."""

from collections.abc import Iterable, Mapping

from cgdmer.metrics_json import Metrics
from cgdmer.report.table import OTHERS_MARK, SEEN_MARK, Content, Marked
from cgdmer.results import Interval
from cgdmer.tables import TASKS


def seen(metrics: Metrics, task: str) -> bool:
    """Return whether pretraining has read the corpus of a task."""
    return TASKS[task] in metrics.pretrained_on


def marked(metrics: Metrics, task: str, value: Interval | None) -> Content:
    """Return a number of the method as a table shows it: with a mark if its pretraining has read the corpus."""
    return Marked(value, SEEN_MARK) if value and seen(metrics, task) else value


def note(metrics: Metrics, tasks: Iterable[str], names: Mapping[str, str]) -> str:
    """Explain the mark and name the run without it; empty if no task is marked. `names` are those of sources."""
    read = list(dict.fromkeys(TASKS[task] for task in tasks if seen(metrics, task)))
    if not read:
        return ""
    others = [source for source in metrics.pretrained_on if source not in read]
    rest = (
        f"set pretraining_set.sources to [{', '.join(others)}] in params.yaml"
        if others
        else "name another corpus with reports in pretraining_set.sources of params.yaml"
    )
    return (
        f"{SEEN_MARK} Pretraining read recordings and reports of the training split of "
        f"{' and '.join(names.get(source, source) for source in read)}; test patients were left out, but the corpus is "
        f"not new to the encoder. For the number without it: {rest}, then run dvc repro."
    )


def marked_of_other(metrics: Metrics, encoder: str, task: str, value: Interval | None) -> Content:
    """Return a number of another encoder: with a mark if its own training has used the corpus."""
    return Marked(value, OTHERS_MARK) if value and TASKS[task] in metrics.seen_by.get(encoder, []) else value


def note_on_others(
    metrics: Metrics, tasks: Iterable[str], sources: Mapping[str, str], encoders: Mapping[str, str]
) -> str:
    """Explain the mark of published encoders; empty if none has seen a task. The mappings give display names."""
    shown = list(dict.fromkeys(TASKS[task] for task in tasks))
    seen = {encoder: [source for source in shown if source in read] for encoder, read in metrics.seen_by.items()}
    lines = [
        f"{encoders.get(encoder, encoder)} on {', '.join(sources.get(source, source) for source in read)}"
        for encoder, read in seen.items()
        if read
    ]
    return f"{OTHERS_MARK} Its training used recordings of the test patients: {'; '.join(lines)}." if lines else ""
