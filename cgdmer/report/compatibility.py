"""The section on published probe protocols that were re-run: their scores, maxima and defects."""

from collections.abc import Mapping

from cgdmer.page import Html, el, section
from cgdmer.probing.representations import REPRESENTATIONS
from cgdmer.report import table
from cgdmer.report.headline import TASK_NAMES, encoder_order, name_of, percent
from cgdmer.report.table import Stacked, Table, stacked
from cgdmer.results import ProbeCell, ProbeResult

MAXIMUM = "max over test epochs"
"""The label of every maximum over test scores."""
LEAD = (
    "A published protocol re-run as it was, defects included, so that a published row can be compared like for like. "
    f"'{MAXIMUM}' is chosen on the test split and says nothing about new records."
)
Probes = Mapping[str, Mapping[str, ProbeResult]]
"""By task, then encoder."""


def of(probes: Probes, protocol: str) -> dict[str, dict[str, ProbeResult]]:
    """Return the results of one protocol."""
    chosen = {t: {e: r for e, r in results.items() if r.protocol == protocol} for t, results in probes.items()}
    return {task: results for task, results in chosen.items() if results}


def protocols(probes: Probes) -> list[str]:
    """Return the published protocols that were run."""
    return sorted({result.protocol for results in probes.values() for result in results.values()} - {"canonical"})


def tables(probes: Probes) -> list[Table]:
    """Return one table per published protocol."""
    return [_table(name, of(probes, name)) for name in protocols(probes)]


def _table(protocol: str, probes: Probes) -> Table:
    lines = {
        (encoder, kind, fraction)
        for results in probes.values() for encoder, result in results.items()
        for fraction, kinds in result.results.items() for kind in kinds
    }  # fmt: skip
    ordered = sorted(lines, key=lambda k: (-float(k[2]), encoder_order(k[0]), REPRESENTATIONS.index(k[1])))
    rows = [
        [stacked(name_of(encoder), f"{kind} features"), percent(fraction),
         *(_scores(results.get(encoder), fraction, kind) for results in probes.values())]
        for encoder, kind, fraction in ordered
    ]  # fmt: skip
    caption = f"Protocol {protocol}: macro AUROC at the epoch that is best on validation; one seed."
    return Table(caption, ["Encoder and features", "Labels", *(TASK_NAMES[task] for task in probes)], rows)


def _scores(result: ProbeResult | None, fraction: str, kind: str) -> Stacked | None:
    """Return the score at the epoch chosen on validation, then the scores that only a re-run may show, named."""
    cell = result.results.get(fraction, {}).get(kind) if result else None
    return stacked(cell.value(), *_maxima(cell)) if cell else None


def _maxima(cell: ProbeCell) -> list[str]:
    lines = [f"{MAXIMUM} {cell.max_over_test_epochs:.3f}"]
    if cell.positional:
        lines.append(f"labels by position {cell.positional.mean:.3f}")
        lines.append(f"by position, {MAXIMUM} {cell.positional.max_over_test_epochs:.3f}")
    return lines


def notes(probes: Probes) -> list[str]:
    """Return which subset was drawn and the protocol's defects, each once."""
    results = [result for by_encoder in probes.values() for result in by_encoder.values()]
    subsets = sorted({f"subset: {result.subset}" for result in results})
    return [*subsets, *dict.fromkeys(defect for result in results for defect in result.defects or [])]


def compatibility_section(probes: Probes) -> Html | None:
    """Draw one table per published protocol; None if only the canonical one was run."""
    blocks = [
        [table.html(one), el("ul", [el("li", note) for note in notes(of(probes, name))], class_="plain")]
        for name, one in zip(protocols(probes), tables(probes), strict=True)
    ]
    return section("compatibility", "Published protocols", blocks, lead=LEAD) if blocks else None
