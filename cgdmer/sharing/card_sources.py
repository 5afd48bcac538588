"""What a card says of the data behind the simulator: each source, its licence, and what was taken from it.

docs/simulator.md has the details. Sets of recordings without report that pretraining read are listed too.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

TEXTBOOK = "textbook"
"""The population that needs no statistics of beats, intervals or words."""


class Source(NamedTuple):
    """A data set with its licence."""

    title: str
    licence: str
    link: str

    def __str__(self) -> str:
        return f"[{self.title}]({self.link}) | {self.licence}"


SOURCES = {
    "ptb_xl": Source("PTB-XL 1.0.3", "CC BY 4.0", "https://physionet.org/content/ptb-xl/1.0.3/"),
    "mimic_iv_ecg": Source("MIMIC-IV-ECG 1.0", "ODbL 1.0", "https://physionet.org/content/mimic-iv-ecg/1.0/"),
    "code15": Source("CODE-15 % 1.0.0", "CC BY 4.0", "https://doi.org/10.5281/zenodo.4916206"),
    "ludb": Source("LUDB 1.0.1", "ODC-By 1.0", "https://physionet.org/content/ludb/1.0.1/"),
    "csn": Source("Chapman-Shaoxing-Ningbo 1.0.0", "CC BY 4.0", "https://physionet.org/content/ecg-arrhythmia/1.0.0/"),
    "ptb_xl_plus": Source("PTB-XL+ (12SL statements)", "CC BY 4.0", "https://physionet.org/content/ptb-xl-plus/"),
    "cpsc2018": Source(
        "CPSC 2018 (Challenge 2021 1.0.3)", "CC BY 4.0", "https://physionet.org/content/challenge-2021/1.0.3/"
    ),
}
"""By the name of the source, or of the folder that holds it."""
PREVALENCE = {"ptb_xl": "counts of findings, followed loosely", "mimic_iv_ecg": "counts of findings, followed loosely"}
"""Taken for every population of the simulator."""
CLINICAL = {
    "ptb_xl": "some widths and amounts were chosen with 533 records in view",
    "mimic_iv_ecg": (
        "medians and standard deviations of RR, PR, QRS and QT in 25,061 rows of machine measurements; "
        "vocabulary of machine reports"
    ),
    "code15": "mean and principal components of the shapes of 277 median beats",
    "ludb": "the same of 70 median beats; median QRS size",
    "csn": "the same of 32 median beats",
    "ptb_xl_plus": "vocabulary of GE Marquette 12SL",
}
"""Taken for patients with clinical beats, beside the above."""


def text(facts: dict[str, Any]) -> str:
    """Return the paragraphs of a card for the facts of a pretraining set (`config.json`)."""
    clinical = facts.get("simulated", {}).get("population", TEXTBOOK) != TEXTBOOK
    taken = {name: [words] for name, words in PREVALENCE.items()}
    for name, words in (CLINICAL if clinical else {}).items():
        taken.setdefault(name, []).append(words)
    rows = "\n".join(f"| {SOURCES[name]} | {'; '.join(words)} |" for name, words in taken.items())
    return (
        "The simulator follows aggregate numbers of these sets (docs/simulator.md of the project). It holds none of "
        "their recordings, but they are no untouched tests.\n\n"
        f"| Source | Licence | What was taken |\n| --- | --- | --- |\n{rows}\n\n"
        f"{without_report(facts.get('recordings', ()))}"
    )


def without_report(names: Iterable[str]) -> str:
    """Name the sets of recordings without report that pretraining read, with their licences; say if there are none."""
    lines = [
        f"- {name}: {one.licence}, {one.link}"
        if (one := SOURCES.get(name))
        else f"- {name}: its licence is not known to this package, so state it where the encoder is shared"
        for name in names
    ]
    if not lines:
        return "Pretraining read no recordings without report."
    return "Pretraining also read recordings without report:\n\n" + "\n".join(lines)
