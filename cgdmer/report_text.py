"""Report text: joining machine lines, cleaning and counting words. Nothing is translated."""

from collections.abc import Sequence

EMPTY = "empty"
"""The result of `clean` for a report without words (docs/protocols.md A.1.1)."""

SEPARATOR = ". "
"""Separator of two machine lines; splitting a report into statements relies on it."""

_SPACES = str.maketrans("\n\r\t", "   ")


def clean(lines: Sequence[str | None]) -> str:
    """Join machine lines and clean them as MERL and MELP do (docs/protocols.md A.1.1): lower case, one final period.

    Only both ends are stripped, so markers such as `***` within the text remain.
    """
    return clean_joined(SEPARATOR.join(line for line in lines if line))


def clean_joined(text: str) -> str:
    """Clean lines that are already joined by SEPARATOR."""
    text = _strip(text)
    return text.translate(_SPACES) + "." if text.split() else EMPTY


def statements(report: str) -> list[str]:
    """Return the distinct statements of a cleaned report in their order, each with a final period."""
    bare = (part.strip(" .") for part in report.split(SEPARATOR))
    return list(dict.fromkeys(f"{part}." for part in bare if part))


def word_count(text: str) -> int:
    """Return the number of words of joined lines, for the four-word rule (docs/protocols.md A.1.1)."""
    return len(_strip(text).split())


def normalise(text: str) -> str:
    """Return a free-text report in lower case on one line, with one final period, or '' if it is empty.

    Words are not changed: `EKG` is the correct German word, unlike in the English reports that `clean` reads.
    """
    bare = " ".join(text.lower().split()).strip(" *=-.")
    return f"{bare}." if bare else ""


def _strip(text: str) -> str:
    """Convert to lower case and strip both ends.

    The published code strips {space,*}, {*,space}, {*}, {=,-} and {=} in turn. The first strip makes the next two
    redundant, and the fourth the last.
    """
    return text.replace("EKG", "ECG").replace("ekg", "ecg").strip(" *").strip("=-").lower()
