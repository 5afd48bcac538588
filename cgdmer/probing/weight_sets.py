"""The canonical probe of an encoder that was embedded with several sets of weights, such as a random control.

Every set of weights is probed like an encoder of its own, on the same training subsets. The row of the encoder is the
mean over them; its interval contains weights, training subsets and test records.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from cgdmer.probing import bootstrap, linear_probe
from cgdmer.probing.cohort import Cohort
from cgdmer.results import WEIGHTS, ProbeCell, ProbeResult
from cgdmer.settings import Probe

log = logging.getLogger(__name__)


def evaluate(
    cohort: Cohort, sets: Sequence[Mapping[str, np.ndarray]], probe: Probe
) -> tuple[ProbeResult, pl.DataFrame]:
    """Probe each representation of each set of weights; `sets[w][name]` is (N, D).

    Return the result and the test predictions, which have the column `weights` beside those of other encoders.
    """
    counts = bootstrap.draws(len(cohort.test.ids), probe.bootstrap)
    results: dict[str, dict[str, ProbeCell]] = {}
    tables = []
    for (fraction, name), (runs, scores) in linear_probe.grid(cohort, sets, probe, counts).items():
        cell = summarise(cohort, runs, counts, list(range(probe.seeds)), scores)
        results.setdefault(str(fraction), {})[name] = cell
        for run in runs:
            table = linear_probe.predictions(cohort, run, fraction, name)
            tables.append(table.with_columns(pl.lit(run.weights, pl.Int32).alias(WEIGHTS)))
        log.info("%s %s at %s: %.4f, %d sets of weights", cohort.task, name, fraction, cell.mean, len(sets))
    return ProbeResult(results=results, **linear_probe.head(cohort, "canonical")), pl.concat(tables)


def summarise(
    cohort: Cohort, runs: list[linear_probe.Run], counts: np.ndarray, seeds: list[int], scores: linear_probe.Scores
) -> ProbeCell:
    """Return the numbers of one fraction and representation over all sets of weights, and of each set."""
    from cgdmer.probing.seeds import Trainings, estimate  # it needs SciPy, which other encoders' probes do without

    own = np.array([run.weights for run in runs])
    macros, points = bootstrap.macro(scores.replicated), scores.points.mean(axis=1)  # (R, B), (R,)
    drawn = np.stack([bootstrap.over_seeds(macros[own == weights]) for weights in np.unique(own)])  # (W, B)
    means = np.array([points[own == weights].mean() for weights in np.unique(own)])  # (W,)
    overall = estimate(Trainings(means, drawn, len(cohort.test.ids)))
    rows = [bootstrap.interval(mean, each).rounded() for mean, each in zip(means, drawn, strict=True)]
    return replace(linear_probe.summarise(cohort, runs, counts, seeds, scores, overall), by_weights=rows)
