"""How close simulated recordings are to real ones, for each population of the simulator.

`python -m benchmarks.realism --root FOLDER` reads the real sets that `external-validation` reads and prints, for each
population: the mean Kolmogorov-Smirnov distance of groups of hand-crafted features, the AUROC of classifiers that tell
simulated from real (0.5: they cannot), the features that give the simulation away, and the AUROC on the superclasses of
PTB-XL of classifiers that were trained on simulated records alone. With `--rows FILE`, a table of MIMIC-IV-ECG's
machine measurements, beside or instead of `--root`, it compares intervals and axes (`benchmarks.measurement_rows`).
`--output reports/realism.json` writes what the benchmark page shows.
"""

import argparse
import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import measurement_rows
from benchmarks.measurement_rows import Compared, distance
from benchmarks.measuring import commit, machine
from cgdmer import encoders, settings
from cgdmer.delineation.features import NAMES as MEASUREMENTS
from cgdmer.encoders import handcrafted
from cgdmer.encoders.base import Encoder, Setup
from cgdmer.errors import CgdmerError
from cgdmer.external import benchmarks, code15, ludb
from cgdmer.external.external_set import ExternalSet
from cgdmer.files import write_json
from cgdmer.report.realism import Intervals, Likeness, Realism
from cgdmer.signals import LEADS, canonical
from cgdmer.simulator import POPULATIONS, Case, draw_cases, simulate

SEED, FS, BATCH = 77, 500.0, 64
TASK = "ptb_xl_super"
ENCODERS = ("handcrafted", "random_resnet18")
EACH = ("P maximum", "P minimum", "Q", "R", "S", "QRS area", "ST", "T maximum", "T minimum", "T area")
BANDS = ("0.5-1.5 Hz", "1.5-4 Hz", "4-8 Hz", "8-15 Hz", "15-25 Hz", "25-40 Hz", "variance")
GROUPS = (
    ("measurements", len(MEASUREMENTS)),
    ("rhythm", len(handcrafted.REGULARITY) + len(handcrafted.RHYTHM)),
    *((name, len(LEADS)) for name in EACH),
    ("QRS width, T time, axis, voltage", len(handcrafted.OVER_LEADS)),
    *((name, len(LEADS)) for name in BANDS),
)
"""Groups of hand-crafted features and their sizes, in the order of `handcrafted.NAMES`."""
CLASSES: dict[str, frozenset[str]] = {
    "NORM": frozenset({"normal"}),
    "MI": frozenset(f"{site}_infarction" for site in ("anterior", "septal", "inferior", "lateral", "posterior")),
    "STTC": frozenset({
        "st_depression", "st_elevation", "t_inversion", "nonspecific_st", "nonspecific_t", "low_t", "long_qt",
        "ischemia_anterior", "ischemia_inferior",
    }),
    "CD": frozenset({
        "lbbb", "rbbb", "incomplete_rbbb", "incomplete_lbbb", "lafb", "ivcd", "wpw", "first_degree_av_block",
    }),
    "HYP": frozenset({"lvh", "rvh", "left_atrial_enlargement", "right_atrial_enlargement"}),
}  # fmt: skip
"""Findings of each superclass of PTB-XL."""


def told_apart(one: np.ndarray, other: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the AUROC, in five folds, of a logistic regression that tells two samples apart, and its coefficients."""
    features = np.concatenate([one, other])
    truth = np.repeat([1, 0], [len(one), len(other)])
    model = _classifier(0.03)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    scores = cross_val_predict(model, features, truth, cv=folds, method="decision_function")
    model.fit(features, truth)
    return float(roc_auc_score(truth, scores)), model[-1].coef_[0]


def transferred(simulated: np.ndarray, cases: list[Case], real: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Train on simulated features and findings; return the AUROC on real features by superclass (N, 5)."""
    out = {}
    for column, (name, findings) in enumerate(CLASSES.items()):
        labels = [bool(findings & case.findings) for case in cases]
        scores = _classifier(0.01).fit(simulated, labels).decision_function(real)
        out[name] = float(roc_auc_score(truth[:, column], scores))
    return out | {"mean": float(np.mean(list(out.values())))}


def _classifier(c: float) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000, class_weight="balanced"))


def encoded(encoder: Encoder, signals: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return the pooled features (N, D) of int16 microvolt (N, 12, T)."""
    parts = [
        encoder.encode(signals[k : k + BATCH].astype(np.float32) / 1000, valid=valid[k : k + BATCH])["pooled"]
        for k in range(0, len(signals), BATCH)
    ]
    return np.concatenate(parts)


def drawn(population: str, count: int, form: settings.Signal) -> tuple[list[Case], np.ndarray]:
    """Return simulated cases and their recordings in canonical form, int16 (count, 12, T)."""
    cases = draw_cases(SEED, 0, count, population)
    rows = simulate(cases, SEED, 0, form.seconds, FS)
    return cases, np.stack([canonical(x.astype(np.float32) / 1000, FS, LEADS, form, form.seconds).signal for x in rows])


def real_sets(root: Path, config: settings.Settings) -> dict[str, ExternalSet]:
    """Read the real sets below a folder."""
    found = {}
    with tempfile.TemporaryDirectory() as work:
        for source in ("ptb_xl", "csn"):
            if folders := benchmarks.copies(source, root):
                found[source] = benchmarks.read(source, folders, config, config.signal, Path(work))
    for name, reader in (("code15", code15), ("ludb", ludb)):
        if reader.holds(root / name):
            found[name] = reader.read(root / name, config.signal)
    return found


def compared(population: str, records: int, real: dict[str, ExternalSet], config: settings.Settings) -> dict[str, Any]:
    """Compare one population with all real sets."""
    cases, signals = drawn(population, records, config.signal)
    setup = Setup.of(config.signal, config.model, config.embed, 0)
    out: dict[str, dict[str, object]] = {name: {"records": len(one.signals)} for name, one in real.items()}
    for encoder_name in ENCODERS:
        encoder = encoders.load(encoder_name, setup)
        simulated = encoded(encoder, signals, np.full(len(signals), config.signal.samples))
        for name, one in real.items():
            features = encoded(encoder, one.signals, one.valid)
            auroc, coefficients = told_apart(simulated, features)
            out[name][f"AUROC {encoder_name}"] = round(auroc, 4)
            if encoder_name == "handcrafted":
                out[name] |= _described(simulated, features, coefficients)
            if TASK in one.tasks:
                task = one.tasks[TASK]
                truth = task.matrix[:, [task.classes.index(label) for label in CLASSES]]
                rows = task.members & truth.any(1)
                scores = transferred(simulated, cases, features[rows], truth[rows])
                out[name][f"trained on simulation, {encoder_name}"] = {k: round(v, 4) for k, v in scores.items()}
    return {"population": population, "simulated": records, "real": out}


def _described(simulated: np.ndarray, real: np.ndarray, coefficients: np.ndarray) -> dict[str, object]:
    """Return the mean distance of each group of features, and the features with the largest coefficients."""
    each = [distance(simulated[:, k], real[:, k]) for k in range(simulated.shape[1])]
    ends = np.cumsum([size for _, size in GROUPS])
    groups = {
        name: round(float(np.mean(each[end - size : end])), 3) for (name, size), end in zip(GROUPS, ends, strict=True)
    }
    largest = np.argsort(-np.abs(coefficients))[:8]
    return {"distance": groups, "given away by": [handcrafted.NAMES[k] for k in largest]}


def measured(records: int, rows: np.ndarray, config: settings.Settings, root: Path | None) -> dict[str, Compared]:
    """Compare intervals and axes of each population, drawn and measured, and of each real set with `rows` (M, 7)."""
    form = measurement_rows.FORM
    out: dict[str, Compared] = {}
    for population in POPULATIONS:
        cases, signals = drawn(population, records, form)
        valid = np.full(len(signals), form.samples)
        out[f"{population}, drawn"] = measurement_rows.compared(measurement_rows.of_cases(cases), rows)
        out[f"{population}, measured"] = measurement_rows.compared(measurement_rows.of_signals(signals, valid), rows)
    for name, one in (real_sets(root, config.model_copy(update={"signal": form})) if root else {}).items():
        values = measurement_rows.of_signals(one.signals, one.valid)
        out[f"{name}, measured"] = measurement_rows.compared(values, rows)
    return out


def summary(results: list[dict[str, Any]], columns: dict[str, Compared], rows: int) -> Realism:
    """Return what the benchmark page shows: the real sets in order, each with every population, and the intervals."""
    likenesses = [
        Likeness(
            result["population"], name, result["simulated"], one["records"],
            {key.removeprefix("AUROC "): one[key] for key in one if key.startswith("AUROC ")},
            one["distance"], one["given away by"],
        )
        for name in (results[0]["real"] if results else ())
        for result in results
        if (one := result["real"][name])
    ]  # fmt: skip
    intervals = [Intervals(name, one["distance"], one["by_chance"], one["unlike"]) for name, one in columns.items()]
    today, code = date.today().isoformat(), commit(Path(), "cgdmer/simulator")
    return Realism(today, machine(), code, likenesses, rows, intervals)


def show(results: list[dict[str, Any]], real: dict[str, ExternalSet]) -> None:
    """Print a table for each real set, one column per population."""
    for name in real:
        both = [result["real"][name] for result in results]
        print(f"\n{name}, {both[0]['records']} records{'':12s}" + "".join(f"{p:>12s}" for p in POPULATIONS))
        for row in (key for key in both[0] if key.startswith("AUROC")):
            print(f"{row:38s}" + "".join(f"{one[row]:12.3f}" for one in both))
        for row in (key for key in both[0] if key.startswith("trained")):
            print(f"{row:38s}" + "".join(f"{one[row]['mean']:12.3f}" for one in both))
        for group, _ in GROUPS:
            print(f"{group:38s}" + "".join(f"{one['distance'][group]:12.2f}" for one in both))


def main() -> None:
    """Print tables of distances and one line of JSON per population, and one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, help="folder with the real sets")
    parser.add_argument("--rows", type=Path, help="machine_measurements.csv of MIMIC-IV-ECG, or rows of it")
    parser.add_argument("--output", type=Path, help="file to write for the benchmark page")
    parser.add_argument("--records", type=int, default=600, help="simulated records per population")
    arguments = parser.parse_args()
    if not arguments.root and not arguments.rows:
        parser.error("nothing to compare with: give --root, --rows or both")
    config, facts = settings.load(), {"machine": machine(), "commit": commit(Path(), "cgdmer/simulator")}
    try:
        rows = measurement_rows.read(arguments.rows) if arguments.rows else None
        real = real_sets(arguments.root, config) if arguments.root and arguments.root.is_dir() else {}
    except CgdmerError as error:
        parser.error(str(error))
    if arguments.root and not real:
        parser.error(f"{arguments.root} holds no real set; docs/data_access.md says where they come from")
    columns: dict[str, Compared] = {}
    results: list[dict[str, Any]] = []
    if rows is not None:
        columns = measured(arguments.records, rows, config, arguments.root)
        print(measurement_rows.table(columns, rows))
        own = {"values": measurement_rows.described(rows), "correlations": measurement_rows.correlations(rows)}
        line = {"name": "realism of measurements", "simulated": arguments.records, "rows": len(rows), "real": own}
        print(json.dumps({**line, "compared": columns, **facts}), flush=True)
    if real:
        results = [compared(population, arguments.records, real, config) for population in POPULATIONS]
        show(results, real)
        for result in results:
            print(json.dumps({"name": "realism", **result, **facts}))
    if arguments.output:
        write_json(arguments.output, summary(results, columns, 0 if rows is None else len(rows)).to_json())


if __name__ == "__main__":
    main()
