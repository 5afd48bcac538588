"""Readable titles of the columns of `score` and `measure`, for workbooks: words, units and texts of classes."""

from functools import cache

from cgdmer.commands.class_names import class_texts, readable
from cgdmer.tables import TASKS

COMMON = {
    "id": "recording",
    "start": "start (s)",
    "seconds": "seconds used",
    "missing": "missing leads",
    "windows": "windows used",
    "windows_unused": "windows not used",
}
UNITS = {"ms": "ms", "mv": "mV", "axis": "°"}
"""Unit by the last word of a measurement's name."""
WORDS = {
    "p": "P", "pr": "PR", "qrs": "QRS", "qt": "QT", "qtc": "QTc", "t": "T", "rr": "RR", "r": "R", "s": "S", "st": "ST",
    "rmssd": "RMSSD", "bazett": "Bazett", "fridericia": "Fridericia", "sokolow": "Sokolow", "cornell": "Cornell",
}  # fmt: skip
ENDINGS = {
    "/max_at": ", second of the largest", "/max": ", largest", "/min_at": ", second of the smallest",
    "/min": ", smallest",
}  # fmt: skip
_texts = cache(class_texts)


def label(column: str) -> str:
    """Return the title of a column; a name that has none is returned as it is."""
    for ending, text in ENDINGS.items():
        if column.endswith(ending):
            return label(column.removesuffix(ending)) + text
    if column in COMMON:
        return COMMON[column]
    kind, slash, rest = column.partition("/")
    if slash and kind == "zero_shot":
        return f"{_class(rest)}: cosine with the prompt"
    if slash and kind in ("probe", "percentile"):
        task, _, name = rest.partition("/")
        number = "probability" if kind == "probe" else kind
        return f"{_class(name) if task in TASKS else name}: {number} ({task})"  # else one's own labels
    return _measurement(column)


def _class(name: str) -> str:
    return readable(name, _texts())


def _measurement(column: str) -> str:
    """Return `PR (ms)` for `pr_ms`; of a name that ends with no unit, its words."""
    if column == "heart_rate":
        return "heart rate (1/min)"
    words = column.split("_")
    unit = UNITS.get(words[-1]) if len(words) > 1 else None
    named = words[:-1] if unit and unit != "°" else words
    text = " ".join(WORDS.get(word, word) for word in named)
    return f"{text} ({unit})" if unit else text
