"""Owns the page: its order, its opening, and which section says what."""

from collections.abc import Sequence
from typing import Any

from cgdmer.page import Html, document, el, tiles
from cgdmer.page.elements import safe
from cgdmer.report import (
    ablations,
    compatibility,
    corpora,
    disentanglement,
    finetuning,
    numbers,
    paired,
    pictures,
    published,
    robustness,
)
from cgdmer.report.gather import Findings
from cgdmer.report.headline import TASK_NAMES, at, encoder_order, fractions, name_of, percent
from cgdmer.settings import Report

LINKS = {
    "results": "Results", "differences": "Differences", "fractions": "Few labels", "classes": "Classes",
    "finetuning": "Fine-tuning", "fewer-leads": "Fewer leads", "disturbance": "Disturbance",
    "zero-shot": "Zero-shot", "retrieval": "Retrieval", "ablations": "Ablations",
    "compatibility": "Protocols",
    "gallery": "ECGs", "reconstruction": "Reconstruction",
    "parts": "Parts", "projections": "Projections", "training": "Training", "data": "Data", "published": "Published",
    "missing": "Not reproduced", "versions": "Versions",
}  # fmt: skip


def render(
    found: Findings, metrics: dict[str, Any], compared: Sequence[paired.Comparison], drawn: pictures.Pictures,
    report: Report,
) -> str:  # fmt: skip
    """Return the whole self-contained page."""
    fraction = nearest(metrics, report.fraction)
    sections = [
        numbers.headline_section(metrics, fraction),
        paired.paired_section(compared, percent(fraction)),
        numbers.fraction_section(metrics),
        numbers.class_section(found.probes, fraction),
        finetuning.finetuning_section(found.finetuning),
        robustness.robustness_sections(found.robustness),
        numbers.zero_shot_section(metrics),
        numbers.retrieval_section(found.retrieval),
        ablations.ablations_section(found.ablations, metrics, fraction, found.reached),
        pictures.gallery(drawn),
        pictures.reconstructions(drawn),
        disentanglement.disentanglement_section(found.disentanglement),
        pictures.projections(drawn),
        corpora.training_section(found),
        corpora.data_section(found),
        compatibility.compatibility_section(found.probes),
        published.published_section() if report.published else None,
        corpora.missing_section(found),
        corpora.versions_section(found),
    ]
    body = safe(sections)
    links = [el("li", el("a", name, href=f"#{anchor}")) for anchor, name in LINKS.items() if f'id="{anchor}"' in body]
    header = el(
        "header",
        el("a", "Skip to the results", href="#results", class_="skip"),
        el("p", "Disentangled ECG and report encoders", class_="kicker"),
        el("h1", report.title),
        el("p", summary(metrics, fraction), class_="lead"),
        _tiles(found, metrics, fraction),
        el("nav", el("ul", links), aria_label="Sections"),
    )
    footer = el(
        "footer", el("p", "Made by the stage report; metrics.json and report.md beside this page hold the same.")
    )
    return document(report.title, header, el("main", body), footer, description=summary(metrics, fraction))


def nearest(metrics: dict[str, Any], wanted: float) -> str:
    """Return the label fraction of the headline: the one asked for, or the nearest that was probed."""
    return min(fractions(metrics), key=lambda f: (abs(float(f) - wanted), float(f)))


def means(metrics: dict[str, Any], fraction: str) -> dict[str, float]:
    """Return each encoder's mean over the tasks that all of them were probed on, pooled features."""
    cells = at(metrics, fraction)
    every = sorted({encoder for kinds in cells.values() for encoder in kinds}, key=encoder_order)
    encoders = [e for e in every if all(numbers.MAIN in kinds.get(e, {}) for kinds in cells.values())]
    return {e: sum(kinds[e][numbers.MAIN]["mean"] for kinds in cells.values()) / len(cells) for e in encoders}


def summary(metrics: dict[str, Any], fraction: str) -> str:
    """Say the result in a sentence, the controls beside the method."""
    cells, average = at(metrics, fraction), means(metrics, fraction)
    tasks = f"{len(cells)} tasks" if len(cells) > 1 else TASK_NAMES[next(iter(cells))]
    parts = [f"{value:.3f} ({name_of(encoder)})" for encoder, value in average.items()]
    if not parts:
        return f"Linear probes on {tasks}, {percent(fraction)} of the labels."
    spoken = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
    return (
        f"Linear probes on {tasks} with {percent(fraction)} of the labels: mean macro AUROC {spoken}, pooled features, "
        f"{numbers.how([e[numbers.MAIN] for kinds in cells.values() for e in kinds.values() if numbers.MAIN in e])}."
    )


def _tiles(found: Findings, metrics: dict[str, Any], fraction: str) -> Html:
    average = means(metrics, fraction)
    shown = [(f"{name_of(e)}, mean AUROC", f"{value:.3f}") for e, value in average.items()]
    zero = [entry["mean"] for entry in metrics["zero_shot"].values()]
    if zero:
        shown.append(
            (
                f"zero-shot, mean AUROC of {len(zero)} task{'' if len(zero) == 1 else 's'}",
                f"{sum(zero) / len(zero):.3f}",
            )
        )
    shown.append(("records in the shards", f"{sum(facts['records'] for facts in found.sources.values()):,}"))
    return tiles(shown)
