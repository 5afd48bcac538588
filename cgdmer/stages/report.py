"""Stage report: all results -> metrics.json, report.html, report.md and static plots."""

import numpy as np

from cgdmer import paths, privacy, settings
from cgdmer.evaluation.reconstruction import reconstruct
from cgdmer.files import write_json, write_text
from cgdmer.models import weights
from cgdmer.models.cgdmer import CGDMER
from cgdmer.report import gather, html, markdown, paired, plots, records
from cgdmer.report.headline import SOURCE_NAMES
from cgdmer.report.pictures import Filled, Pictures, Projection, Tracing
from cgdmer.signals import LEADS, canonical
from cgdmer.simulator import gallery
from cgdmer.tables import TASKS

ENCODER = "cgdmer"
SIMULATED_FS = 500.0
KINDS = ("shared", "specific")
FILLED = 3
"""Records shown masked, and corpora whose features are projected at most."""


def report(*, report: settings.Report, matrix: settings.Matrix) -> None:
    """Write all that a person or a program reads; DataError when nothing was probed yet."""
    found = gather.gather(matrix)
    metrics = gather.metrics(found)
    write_json(paths.METRICS, metrics)
    fraction = html.nearest(metrics, report.fraction)
    compared = paired.compare_all(found.probes, fraction)
    for name, content in plots.draw(found, metrics, fraction).items():
        write_text(paths.REPORTS / "plots" / name, content)
    write_text(paths.REPORT_MD, markdown.write(found, metrics, compared, report.title))
    write_text(paths.REPORT_HTML, html.render(found, metrics, compared, pictures(found, report), report))


def pictures(found: gather.Findings, report: settings.Report) -> Pictures:
    """Gather all that is drawn as a signal or as a cloud of points."""
    model, signal, _ = weights.load(paths.MODEL)
    simulated, sources = simulate(signal), records.real_sources(found.sources)
    benchmarks = sorted({TASKS[task] for task in found.probes}, key=list(TASKS.values()).index)
    titles = [tracing.title for tracing in simulated]
    named = privacy.allowed(report.examples, sources)
    return Pictures(
        simulated=simulated,
        real=records.counterparts(titles, sources, named),
        filled=fill(model, benchmarks[0]),
        projections=project(found),
        leads=LEADS,
    )


def simulate(signal: settings.Signal) -> list[Tracing]:
    """Simulate the showcase and filter it as every corpus is."""
    found = []
    for title, microvolt in gallery(signal.seconds, SIMULATED_FS):
        record = canonical(microvolt.astype(np.float32) / 1000, SIMULATED_FS, LEADS, signal, signal.seconds)
        found.append(Tracing(title, record.signal, signal.fs))
    return found


def fill(model: CGDMER, source: str) -> list[Filled]:
    """Let the model fill in the first test records of a source; none where it has no whole one."""
    shards, rows = records.held_out(source, FILLED)
    if rows.is_empty():
        return []
    missing = np.zeros((rows.height, len(LEADS)), dtype=bool)
    given = shards.gather(rows["row"].to_numpy().astype(np.int64))
    done = reconstruct(model, given, rows["valid"].to_numpy(), missing)
    titles = [f"{SOURCE_NAMES[source]} record {name}" for name in rows["id"]]
    return [
        Filled(title, one.original, one.filled, one.hidden, one.patch, shards.fs, one.kind)
        for title, one in zip(titles, done, strict=False)
    ]


def project(found: gather.Findings) -> list[Projection]:
    """Project the features of the first task of each corpus."""
    first = {TASKS[task]: task for task in reversed(found.probes)}
    items = [records.projection(ENCODER, source, first[source], KINDS) for source in reversed(first)]
    return [item for item in items if item]
