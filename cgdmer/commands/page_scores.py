"""What pages say of the scores: readable names of their columns, which of them are listed, and what to know of them."""

from cgdmer.commands import provenance
from cgdmer.commands.class_names import class_texts
from cgdmer.commands.scorer import Scorer
from cgdmer.report.headline import TASK_NAMES
from cgdmer.viewer.catalogue import About, Title

LISTED_TASK = "ptb_xl_super"
"""The task whose classes the list of recordings shows, unless there are probes of one's own labels."""
MOST_LISTED = 8
"""Columns of scores in the list."""


def about(scorer: Scorer, start: float) -> About:
    """Return what all pages say of encoder and scores."""
    encoder = scorer.encoder
    name = f"{encoder.name} {encoder.digest[:12]}".strip()
    said = filter(None, [_origin(scorer), *scorer.references.lines(), *_own(scorer)])
    return About(name, titles(scorer), tuple(said), start, tuple(scorer.references.quantiles))


def _origin(scorer: Scorer) -> str:
    """Return what to know of recordings that encoder and probes have seen; '' for real ones."""
    if scorer.probes or scorer.classes:
        return scorer.origin.warning()
    kind = scorer.origin.encoder  # probes of one's own labels were calibrated on one's own recordings
    seen = "recordings of unknown origin" if kind == provenance.UNKNOWN else f"{kind} recordings"
    return f"the encoder was pretrained on {seen}"


def _own(scorer: Scorer) -> list[str]:
    """Return with what each probe of one's own labels was calibrated, and to which prevalence it was shifted."""
    lines = [f"the probe {line}" for line in scorer.own.text().splitlines() if not line.startswith(" ")]
    shifts = [f"{label} at a prevalence of {100 * known:.3g} %" for label, known in scorer.own.prevalences.items()]
    return [*lines, *([f"probabilities of {', '.join(shifts)}"] if shifts else [])]


def titles(scorer: Scorer) -> dict[str, Title]:
    """Return the title of each column of scores: those of one's own labels first, then probes, then prompts."""
    names = class_texts()
    own = scorer.own.names
    made = {column: Title(*_parts(column)) for column in own}
    for column in scorer.tasks:
        task, name = _parts(column)[::2]
        made[column] = Title(TASK_NAMES.get(task, task), names.get(name, name), name)
    for name in scorer.classes:
        made[f"zero_shot/{name}"] = Title("Cosines with prompts", names.get(name, name), name, is_probability=False)
    candidates = own or [column for column in scorer.tasks if column.startswith(f"probe/{LISTED_TASK}/")] or list(made)
    listed = set(candidates[:MOST_LISTED])
    return {column: Title(t.group, t.name, t.short, t.is_probability, column in listed) for column, t in made.items()}


def _parts(column: str) -> tuple[str, str, str]:
    """Return probe, class and class again of a column `probe/NAME/CLASS`."""
    _, probe, name = column.split("/", 2)
    return probe, name, name
