"""Owns what the report says where a published probe protocol was re-run: its own scores, its maxima, its defects."""

from collections.abc import Mapping
from typing import Any

from cgdmer.page import Child, Html, el, section, table
from cgdmer.report.headline import REPRESENTATIONS, TASK_NAMES, encoder_order, name_of, percent

MAXIMUM = "max over test epochs"
"""How a maximum over test scores is called, wherever it stands."""
Probes = Mapping[str, Mapping[str, Any]]
Line = tuple[str, str, str, list[Mapping[str, Any] | None]]


def of(probes: Probes, protocol: str) -> dict[str, dict[str, Any]]:
    """Return the results of one protocol, by task and encoder."""
    kept = {t: {e: r for e, r in results.items() if r["protocol"] == protocol} for t, results in probes.items()}
    return {task: results for task, results in kept.items() if results}


def protocols(probes: Probes) -> list[str]:
    """Return the published protocols that were run; the canonical one is none of them."""
    found = {result["protocol"] for results in probes.values() for result in results.values()}
    return sorted(found - {"canonical"})


def lines(found: Probes) -> list[Line]:
    """Return encoder, representation, label share, and the figures of each task, most labels first."""
    keys = {
        (encoder, kind, share)
        for results in found.values() for encoder, result in results.items()
        for share, kinds in result["results"].items() for kind in kinds
    }  # fmt: skip
    ordered = sorted(keys, key=lambda k: (-float(k[2]), encoder_order(k[0]), REPRESENTATIONS.index(k[1])))
    return [(e, kind, share, [found[task].get(e, {"results": {}})["results"].get(share, {}).get(kind)
            for task in found]) for e, kind, share in ordered]  # fmt: skip


def notes(found: Probes) -> list[str]:
    """Return whose subset was drawn and the protocol's defects, each once."""
    every = [result for results in found.values() for result in results.values()]
    subsets = sorted({f"subset: {result['subset']}" for result in every})
    return [*subsets, *dict.fromkeys(defect for result in every for defect in result["defects"])]


def words(figures: Mapping[str, Any] | None) -> list[str]:
    """Say the score at the epoch that validation chose first, then what only a re-run may show, each named."""
    if not figures:
        return ["–"]
    said = [f"{figures['mean']:.3f}", f"{MAXIMUM} {figures['max_over_test_epochs']:.3f}"]
    if "positional" in figures:
        said.append(f"labels by position {figures['positional']['mean']:.3f}")
        said.append(f"by position, {MAXIMUM} {figures['positional']['max_over_test_epochs']:.3f}")
    return said


def compatibility_section(probes: Probes) -> Html | None:
    """Draw one table a protocol; None where only the canonical one was run."""
    names = protocols(probes)
    if not names:
        return None
    lead = (
        "A published protocol re-run as it was, defects and all, so that a published row can be compared like for "
        f"like. '{MAXIMUM}' is chosen on the test split and says nothing about new records."
    )
    return section(
        "compatibility", "Published protocols", [_block(name, of(probes, name)) for name in names], lead=lead
    )


def _block(name: str, found: Probes) -> list[Html]:
    head: list[Child] = ["Encoder and features", "Labels", *(TASK_NAMES[task] for task in found)]
    rows = [
        [[name_of(encoder), el("small", kind, class_="below")], percent(share), *(_shown(cell) for cell in cells)]
        for encoder, kind, share, cells in lines(found)
    ]
    caption = f"Protocol {name}: macro AUROC at the epoch that is best on validation; one seed."
    return [table(caption, head, rows), el("ul", [el("li", note) for note in notes(found)], class_="plain")]


def _shown(figures: Mapping[str, Any] | None) -> list[Child]:
    first, *rest = words(figures)
    return [first, *(el("small", part, class_="below") for part in rest)]


def markdown(probes: Probes) -> list[tuple[str, list[str], list[list[str]]]]:
    """Return introduction, head and rows of a table for each protocol."""
    found = {name: of(probes, name) for name in protocols(probes)}
    return [
        (
            f"Protocol {name}, macro AUROC at the best validation epoch, one seed. {'; '.join(notes(part))}.",
            ["Encoder", "Features", "Labels", *(TASK_NAMES[task] for task in part)],
            [[name_of(e), kind, percent(share), *("; ".join(words(cell)) for cell in cells)]
             for e, kind, share, cells in lines(part)],
        )
        for name, part in found.items()
    ]  # fmt: skip
