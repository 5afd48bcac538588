"""Compute everything on the benchmark page that is drawn as a signal or as a cloud of points."""

import numpy as np

from cgdmer import paths, privacy, settings
from cgdmer.evaluation.reconstruction import reconstruct
from cgdmer.models import weights
from cgdmer.models.cgdmer import CGDMER
from cgdmer.report import gather, records
from cgdmer.report.headline import SOURCE_NAMES
from cgdmer.report.pictures import Filled, Pictures, Projection, Tracing
from cgdmer.signals import LEADS, canonical
from cgdmer.simulator import gallery
from cgdmer.tables import TASKS

ENCODER = "cgdmer"
SIMULATED_FS = 500.0
"""Hz, before the filter brings the simulated records to the project's rate."""
REPRESENTATIONS = ("shared", "specific")
FILLED = 3
"""Number of records that are shown masked and filled in."""


def illustrate(findings: gather.Findings, report: settings.Report) -> Pictures:
    """Return the simulated and recorded ECGs, the reconstructions and the projections of features."""
    model, signal, _ = weights.load(paths.MODEL)
    simulated, sources = simulate(signal), records.real_sources(findings.sources)
    benchmarks = sorted({TASKS[task] for task in findings.probes}, key=list(TASKS.values()).index)
    titles = [tracing.title for tracing in simulated]
    named = privacy.allowed(report.examples, sources)
    return Pictures(
        simulated=simulated,
        real=records.counterparts(titles, sources, named),
        filled=fill(model, benchmarks[0]),
        projections=project(findings),
        leads=LEADS,
    )


def simulate(signal: settings.Signal) -> list[Tracing]:
    """Return one simulated record per finding, filtered as every corpus is."""
    tracings = []
    for title, microvolt in gallery(signal.seconds, SIMULATED_FS):
        record = canonical(microvolt.astype(np.float32) / 1000, SIMULATED_FS, LEADS, signal, signal.seconds)
        tracings.append(Tracing(title, record.signal, signal.fs))
    return tracings


def fill(model: CGDMER, source: str) -> list[Filled]:
    """Reconstruct the hidden patches of the first test records of a source; empty if none has all leads."""
    shards, rows = records.held_out(source, FILLED)
    if rows.is_empty():
        return []
    missing = np.zeros((rows.height, len(LEADS)), dtype=bool)
    signal = shards.gather(rows["row"].to_numpy().astype(np.int64))
    reconstructions = reconstruct(model, signal, rows["valid"].to_numpy(), missing)
    titles = [f"{SOURCE_NAMES[source]} record {name}" for name in rows["id"]]
    return [
        Filled(title, one.original, one.filled, one.hidden, one.patch, shards.fs, one.kind)
        for title, one in zip(titles, reconstructions, strict=False)
    ]


def project(findings: gather.Findings) -> list[Projection]:
    """Project the features of the first task of each corpus onto two axes."""
    first = {TASKS[task]: task for task in reversed(findings.probes)}
    items = [records.projection(ENCODER, source, first[source], REPRESENTATIONS) for source in reversed(first)]
    return [item for item in items if item]
