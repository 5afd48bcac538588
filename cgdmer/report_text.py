"""Owns report text as strings: joining machine lines, cleaning, counting words; nothing is translated."""

from collections.abc import Sequence

EMPTY = "empty"
"""What `clean` returns for a report without a word (docs/protocols.md A.1.1)."""

SEPARATOR = ". "
"""Between two machine lines; who cuts a report into sentences relies on it."""

_SPACES = str.maketrans("\n\r\t", "   ")


def clean(lines: Sequence[str | None]) -> str:
    """Join machine lines and clean them as MERL and MELP do (docs/protocols.md A.1.1): lower case, one final period.

    Only the two ends are stripped, so markers such as `***` inside the text survive.
    """
    return clean_joined(SEPARATOR.join(line for line in lines if line))


def clean_joined(text: str) -> str:
    """Clean lines that are joined already."""
    text = _bare(text)
    return text.translate(_SPACES) + "." if text.split() else EMPTY


def word_count(text: str) -> int:
    """Count the words of joined lines without the final period, for the four-word rule (docs/protocols.md A.1.1)."""
    return len(_bare(text).split())


def normalise(text: str) -> str:
    """Return one free-text report in lower case on one line, ends stripped, one final period; '' where it is empty.

    Its words stay as they are: a German `EKG` is no misspelt ECG.
    """
    bare = " ".join(text.lower().split()).strip(" *=-.")
    return f"{bare}." if bare else ""


def _bare(text: str) -> str:
    """Lower the case and strip the ends.

    The published order is {space,*}, {*,space}, {*}, {=,-}, {=}; the first of them leaves nothing to the next two,
    and the fourth nothing to the last.
    """
    return text.replace("EKG", "ECG").replace("ekg", "ecg").strip(" *").strip("=-").lower()
