"""Readable names of the classes of the tasks: the texts of the package's prompts."""

from collections.abc import Mapping

from cgdmer.evaluation import zero_shot

LONGEST = 40
"""Characters of a text that is shown beside the name of its class."""


def class_texts() -> dict[str, str]:
    """Return the text of each class of the package's prompts."""
    prompts = zero_shot.read_prompts(zero_shot.STATEMENTS, zero_shot.STATEMENTS.stem, ensemble=False)
    return {name: texts[0] for name, texts in prompts.texts.items()}


def readable(name: str, texts: Mapping[str, str]) -> str:
    """Return `atrial fibrillation (AFIB)`; the name alone if its text is long or unknown."""
    text = texts.get(name, "")
    return f"{text} ({name})" if text and len(text) <= LONGEST else name
