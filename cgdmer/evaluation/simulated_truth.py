"""What the simulator knows about its records: intervals, axes, age and sex, drawn again from the seed.

The demo corpora keep none of these numbers, as a real corpus would not. A record depends only on its seed and number,
so the same draws give them back without a change to any recording. `cpsc2018` is not covered: only the first five
seconds of its records are used.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from cgdmer.delineation.formulas import axis, corrected, variability
from cgdmer.demo_corpora import drawing
from cgdmer.errors import DataError
from cgdmer.settings import Corpus
from cgdmer.simulator import Case, atria, draw_cases, heart, torso
from cgdmer.simulator.draws import Draws
from cgdmer.simulator.findings import SINUS, stream
from cgdmer.simulator.rhythm import VENTRICULAR, Beats, beats
from cgdmer.simulator.waves import Wave, rotated, varied

SOURCES = ("ptb_xl", "csn")
"""Simulated corpora whose truth is known."""
SECONDS = 10.0
PTB_XL_RECORDINGS = (0.8, 0.15, 0.05)
"""`demo_corpora.ptb_xl.RECORDINGS`, repeated here because that module loads the readers of all file formats."""


def truth(source: str, corpus: Corpus, index: pl.DataFrame) -> pl.DataFrame:
    """Return column `id` and a float column per measurement, null where a record has none (the PR interval in AF).

    `index` holds id, age and sex of the records. DataError if they are not those that the seed gives.
    """
    rows = pl.DataFrame(
        [{"id": name, **measure(case, corpus.seed, number)} for name, number, case in cases(source, corpus)]
    )
    joined = index.select("id", "sex", indexed="age").join(rows, on="id", how="left", maintain_order="left")
    same_sex = (pl.col("sex") == "male").cast(pl.Float64) == pl.col("male")
    same = same_sex & (pl.col("indexed") == pl.col("age"))
    wrong = joined.filter(~pl.when(pl.col("indexed").is_between(0, 89)).then(same).otherwise(same_sex).fill_null(False))
    if wrong.height:
        raise DataError(
            f"{source}: {wrong.height} simulated records are not those of seed {corpus.seed}, first {wrong['id'][0]}",
            fix=f"dvc repro --force acquire@{source} index@{source}",
        )
    return joined.select(rows.columns)


def cases(source: str, corpus: Corpus) -> Iterator[tuple[str, int, Case]]:
    """Yield id, number and case of each record of a simulated corpus."""
    if source == "csn":
        for number in range(corpus.records):
            yield f"JS{number + 1:05d}", number, draw_cases(corpus.seed, number, 1)[0]
    else:
        for entry in drawing.entries(corpus.records, corpus.seed, PTB_XL_RECORDINGS):
            yield str(entry.number + 1), entry.number, entry.case


def measure(case: Case, seed: int, number: int, seconds: float = SECONDS) -> dict[str, float | None]:
    """Return the measurements of one record, with the random draws of `simulator.recording` in the same order."""
    random = stream(seed, number, 1)
    rhythm = beats(case, seconds, random)
    waves = heart.ventricular_waves(case, random, random.normal(0, 11))
    inside = rhythm.onset[(rhythm.onset >= 0) & (rhythm.onset < seconds)]
    gaps = np.diff(inside) * 1000  # ms
    rr = float(gaps.mean()) if len(gaps) else None
    with_p = case.rhythm in SINUS or bool(np.isfinite(rhythm.p_onset).any())
    repolarised = case.qt_ms - 80  # the centre of the T wave in `simulator.repolarisation`
    return {
        "rr": rr,
        **variability(gaps),
        "pr": case.pr_ms if with_p else None,
        "qrs": case.qrs_ms,
        "qt": case.qt_ms,
        **corrected(case.qt_ms, rr),
        "p_axis": _axis(_atrial(case, rhythm, random)) if with_p else None,
        "qrs_axis": _axis([wave for wave in waves if not wave.plateau and wave.centre != repolarised]),
        "t_axis": _axis([wave for wave in waves if wave.centre == repolarised]),
        "age": case.age,
        "male": float(case.sex == "male"),
    }


def _atrial(case: Case, rhythm: Beats, random: Draws) -> list[Wave]:
    """Return the waves of the P wave; the draws in between belong to ectopic beats and to respiration."""
    if (rhythm.kind == VENTRICULAR).any():
        heart.ectopic_waves(random)
    random.uniform(0.02, 0.07)
    turn = torso.rotation(0.2 * (case.axis - 45), random.normal(0, 8))
    return [varied(rotated(wave, turn), random) for wave in atria.atrial_waves(case)]


def _axis(waves: Sequence[Wave]) -> float | None:
    """Return the frontal axis in degrees of the summed areas of waves in I and aVF."""
    vectors, positions = np.array([wave.vector for wave in waves]), np.array([wave.position for wave in waves])
    areas = torso.amplitudes(vectors, positions)[:2] @ np.array([wave.rise + wave.fall for wave in waves])
    first, second = areas.tolist()
    return axis(first, second - first / 2) if math.hypot(first, second) > 0 else None
