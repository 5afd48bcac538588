"""The section on the encoders: who trained them on what, under which licence, and which benchmarks they have seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cgdmer.embeddings import Origin
from cgdmer.page import Html, el, section
from cgdmer.report import table
from cgdmer.report.headline import METHOD, SOURCE_NAMES, encoder_order, name_of
from cgdmer.report.table import Content, Table, stacked
from cgdmer.tables import TASKS

TITLE = "Encoders"
SEEN, NOT_SEEN, UNKNOWN, UNTRAINED = "seen", "not seen", "unknown", "no training"
TRAINING_SPLIT = "training split"
UNTRAINED_ENCODERS = ("random", "random_resnet18", "handcrafted")
"""Controls that learned from no recording."""


@dataclass(frozen=True)
class Records:
    """How many recordings a published encoder was trained on."""

    number: str
    """As its source has it; UNKNOWN where none was found."""
    source: str
    """Where the number was read, or what is known instead."""


RECORDS = {
    "cgdmer_base": Records("126,976", "480,000 passes; model card of the package"),
    "merl_resnet18": Records("771,693", "the authors' preprocessing notebook"),
    "merl_vit_tiny": Records("771,693", "the authors' preprocessing notebook"),
    "melp": Records("at most 771,693", "MERL's filter, less invalid records that its authors do not count"),
    "heartlang": Records(UNKNOWN, "all that its code can read of the 800,035 of the corpus"),
    "ecg_fm": Records("888,288", "sizes of the corpora; how many were used is not stated"),
    "ecgfounder": Records("10,771,552", "abstract, NEJM AI 2 (7), 2025"),
    "ecg_jepa": Records("about 180,000", "abstract, arXiv 2410.08559"),
}
"""Of encoders that the pipeline did not train; docs/peers.md has the numbers of the published ones."""
LEAD = (
    "Who trained each encoder, on what, and under which licence. 'Seen' means that its training used recordings of the "
    "corpus, those of test patients among them, with or without labels: its scores there do not say how it does on "
    "new patients. 'Training split' means that test patients were left out. 'Unknown' means that its authors do not "
    "say."
)


@dataclass(frozen=True)
class Seen:
    """What encoders learned from."""

    origins: Mapping[str, Origin]
    """Of published encoders, by encoder."""
    pretraining: Sequence[str]
    """Sources whose training split the method of this package was pretrained on."""
    records: int | None = None
    """Records that the pretraining of the method read; None if it is not known."""

    def of(self, encoder: str, source: str) -> str:
        """Return whether the training of an encoder used a source."""
        if encoder == METHOD:
            return TRAINING_SPLIT if source in self.pretraining else NOT_SEEN
        if encoder in UNTRAINED_ENCODERS:
            return UNTRAINED
        origin = self.origins.get(encoder)
        if origin is None or not origin.trained_on:
            return UNKNOWN
        return SEEN if source in origin.trained_on else NOT_SEEN


def encoders_table(encoders: Sequence[str], benchmarks: Sequence[str], seen: Seen) -> Table:
    """Return one row per encoder; a column per benchmark says whether its training saw it."""
    sources = [source for source in SOURCE_NAMES if source in benchmarks]
    rows = [
        [*_who(encoder, seen), *(seen.of(encoder, source) for source in sources)]
        for encoder in sorted(encoders, key=encoder_order)
    ]
    head = (
        "Encoder",
        "Published as",
        "Licence",
        "Trained on",
        "Records",
        *(SOURCE_NAMES[source] for source in sources),
    )
    return Table("Encoders by origin and by what their training saw.", head, rows, text=tuple(range(len(head))))


def _who(encoder: str, seen: Seen) -> list[Content]:
    """Return name, publication, licence, training data and the number of their records."""
    if encoder == METHOD:
        return [name_of(encoder), "this package", "MIT", _corpora(seen.pretraining), _own_records(seen.records)]
    if encoder in UNTRAINED_ENCODERS:
        return [name_of(encoder), "this package", "MIT", "nothing", "0"]
    origin = seen.origins.get(encoder)
    if origin is None:
        return [name_of(encoder), UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]
    counted = RECORDS.get(encoder)
    records: Content = stacked(counted.number, counted.source) if counted else UNKNOWN
    return [name_of(encoder), origin.citation, origin.licence, _corpora(origin.trained_on), records]


def _own_records(records: int | None) -> Content:
    return UNKNOWN if records is None else stacked(f"{records:,}", "this run")


def _corpora(names: Sequence[str]) -> str:
    return ", ".join(SOURCE_NAMES.get(name, name) for name in names) or UNKNOWN


def table_of(probes: Mapping[str, Mapping[str, object]], seen: Seen) -> Table:
    """Return the table of the encoders and corpora that were probed."""
    encoders = sorted({encoder for results in probes.values() for encoder in results}, key=encoder_order)
    return encoders_table(encoders, sorted({TASKS[task] for task in probes}), seen)


def encoders_section(probes: Mapping[str, Mapping[str, object]], seen: Seen) -> Html:
    """Draw the table of encoders, and the notes of published ones."""
    notes = [el("li", el("b", name_of(name)), f": {one.notes}") for name, one in seen.origins.items() if one.notes]
    drawn = [table.html(table_of(probes, seen)), el("ul", notes, class_="plain") if notes else None]
    return section("encoders", TITLE, *drawn, lead=LEAD)
