"""What pages say of the scores: readable names of their columns, which of them are listed, and what to know of them."""

from cgdmer.commands.scorer import Scorer
from cgdmer.evaluation import zero_shot
from cgdmer.report.headline import TASK_NAMES
from cgdmer.viewer.catalogue import About, Title

LISTED_TASK = "ptb_xl_super"
"""The task whose classes the list of recordings shows, unless there are probes of one's own labels."""
MOST_LISTED = 8
"""Columns of scores in the list."""


def about(scorer: Scorer, start: float) -> About:
    """Return what all pages say of encoder and scores."""
    encoder = scorer.encoder
    warnings = [scorer.origin.warning()] if scorer.probes or scorer.classes else []
    name = f"{encoder.name} {encoder.digest[:12]}".strip()
    return About(name, titles(scorer), tuple(filter(None, [*warnings, *scorer.own.text().splitlines()[:1]])), start)


def titles(scorer: Scorer) -> dict[str, Title]:
    """Return the title of each column of scores: those of one's own labels first, then probes, then prompts."""
    names = {name: texts[0] for name, texts in statements().items()}
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


def statements() -> dict[str, list[str]]:
    """Return the text of each class of the package's prompts."""
    return zero_shot.read_prompts(zero_shot.STATEMENTS, zero_shot.STATEMENTS.stem, ensemble=False).texts


def _parts(column: str) -> tuple[str, str, str]:
    """Return probe, class and class again of a column `probe/NAME/CLASS`."""
    _, probe, name = column.split("/", 2)
    return probe, name, name
