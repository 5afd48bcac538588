"""The benchmark page: its header and the order of its sections."""

from cgdmer.metrics_json import Metrics, protocols_and_seeds
from cgdmer.page import Html, document, el, tiles
from cgdmer.page.elements import safe
from cgdmer.report import (
    ablations,
    attentive,
    compatibility,
    corpora,
    disentanglement,
    encoders,
    extras,
    finetuning,
    measurements,
    numbers,
    paired,
    pictures,
    published,
    real,
    realism,
    rehearsal,
    robustness,
)
from cgdmer.report.gather import Findings
from cgdmer.report.headline import TASK_NAMES, encoder_order, name_of, percent
from cgdmer.settings import Report

LINKS = {
    "results": "Results", "encoders": "Encoders", "differences": "Differences", "fractions": "Few labels",
    "classes": "Classes", "frequent": "Frequent classes", "efficiency": "Label efficiency",
    "attentive": "Attentive pooling",
    "finetuning": "Fine-tuning", "fewer-leads": "Fewer leads", "disturbance": "Disturbance",
    "zero-shot": "Zero-shot", "retrieval": "Retrieval", "ablations": "Ablations",
    "compatibility": "Protocols", "like-for-like": "Like for like",
    "gallery": "ECGs", "reconstruction": "Reconstruction",
    "disentanglement": "Shared and specific", "measurements": "Measurements",
    "real": "Real recordings",
    "projections": "Projections", "training": "Training", "data": "Data", "realism": "Realism", "rehearsal": "At size",
    "published": "Published", "missing": "Not reproduced", "versions": "Versions",
}  # fmt: skip


def render(findings: Findings, metrics: Metrics, drawn: pictures.Pictures, report: Report, extra: extras.Extras) -> str:
    """Return the whole self-contained page."""
    fraction = nearest(metrics, report.fraction)
    sections = [
        numbers.headline_section(metrics, fraction),
        encoders.encoders_section(findings.probes, findings.seen),
        paired.paired_section(metrics.differences, fraction, findings.ablations.get(ablations.FULL)),
        numbers.fraction_section(metrics),
        numbers.class_section(findings.probes, metrics, fraction),
        extras.sections(extra, fraction, report),
        attentive.attentive_section(findings.attentive, metrics),
        finetuning.finetuning_section(findings.finetuning),
        robustness.robustness_sections(findings.robustness),
        numbers.zero_shot_section(metrics),
        numbers.retrieval_section(findings.retrieval),
        ablations.ablations_section(findings.ablations, findings.ablations_left_out),
        pictures.gallery(drawn),
        pictures.reconstructions(drawn),
        disentanglement.disentanglement_section(findings.disentanglement),
        measurements.measurement_section(findings.measurements),
        real.real_section(findings.real, findings.versions["model"]),
        pictures.projections(drawn),
        corpora.training_section(findings),
        corpora.data_section(findings),
        realism.realism_section(findings.realism),
        rehearsal.rehearsal_section(findings.rehearsal),
        compatibility.compatibility_section(findings.probes),
        extras.pairs_section(findings) if report.published else None,
        published.published_section() if report.published else None,
        corpora.missing_section(findings),
        corpora.versions_section(findings),
    ]
    body = safe(sections)
    links = [el("li", el("a", name, href=f"#{anchor}")) for anchor, name in LINKS.items() if f'id="{anchor}"' in body]
    header = el(
        "header",
        el("a", "Skip to the results", href="#results", class_="skip"),
        el("p", "Disentangled ECG and report encoders", class_="kicker"),
        el("h1", report.title),
        el("p", summary(metrics, fraction), class_="lead"),
        [el("p", el("b", line)) for line in corpora.simulated(findings)],
        _tiles(findings, metrics, fraction),
        el("nav", el("ul", links), aria_label="Sections"),
    )
    footer = el(
        "footer",
        el("p", "Written by the stage report; metrics.json and report.md beside this page hold the same numbers."),
    )
    return document(report.title, header, el("main", body), footer, description=summary(metrics, fraction))


def nearest(metrics: Metrics, target: float) -> str:
    """Return the label fraction of the headline: the probed one that is nearest to `target`."""
    return min(metrics.fractions(), key=lambda f: (abs(float(f) - target), float(f)))


def means(metrics: Metrics, fraction: str) -> dict[str, float]:
    """Return the mean over tasks of each encoder that was probed on all of them, with its chosen features."""
    cells = metrics.at(fraction)
    every = sorted({encoder for kinds in cells.values() for encoder in kinds}, key=encoder_order)
    encoders = [e for e in every if all(metrics.main(e) in kinds.get(e, {}) for kinds in cells.values())]
    return {e: sum(kinds[e][metrics.main(e)].mean for kinds in cells.values()) / len(cells) for e in encoders}


def summary(metrics: Metrics, fraction: str) -> str:
    """Return the result in one sentence: the method and the controls."""
    cells, average = metrics.at(fraction), means(metrics, fraction)
    tasks = f"{len(cells)} tasks" if len(cells) > 1 else TASK_NAMES[next(iter(cells))]
    parts = [f"{value:.3f} ({name_of(encoder)}, {metrics.main(encoder)})" for encoder, value in average.items()]
    if not parts:
        return f"Linear probes on {tasks}, {percent(fraction)} of the labels."
    joined = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
    shown = [kinds[metrics.main(e)] for task in cells.values() for e, kinds in task.items() if metrics.main(e) in kinds]
    return (
        f"Linear probes on {tasks} with {percent(fraction)} of the labels: mean macro AUROC {joined}, "
        f"{protocols_and_seeds(shown)}."
    )


def _tiles(findings: Findings, metrics: Metrics, fraction: str) -> Html:
    average = means(metrics, fraction)
    shown = [(f"{name_of(e)}, mean AUROC", f"{value:.3f}") for e, value in average.items()]
    zero = [cell.mean for cell in metrics.zero_shot.values()]
    if zero:
        shown.append(
            (
                f"zero-shot, mean AUROC of {len(zero)} task{'' if len(zero) == 1 else 's'}",
                f"{sum(zero) / len(zero):.3f}",
            )
        )
    shown.append(("records in the shards", f"{sum(corpus.records for corpus in findings.sources.values()):,}"))
    return tiles(shown)
