"""A finished run at a tiny size, written where the stages write it, for tests of the benchmark page."""

import functools
import shutil
import tempfile
from contextlib import chdir

import numpy as np
import polars as pl

from cgdmer import embeddings, paths, settings, stages, tables
from cgdmer.files import read_json, write_json, write_text
from cgdmer.models import weights
from cgdmer.shards import manifest, open_shards
from cgdmer.signals import LEADS
from cgdmer.stages.embed import origin
from support.example_task import TINY_MODEL

SOURCE = "ptb_xl"
OUTSIDE = "ecg_fm"
"""A published encoder, whose pretraining saw the example's corpus."""
SIGNAL = settings.Signal(seconds=10.0)
MATRIX = settings.Matrix(
    sources=["ptb_xl", "cpsc2018", "csn", "mimic_iv_ecg"], benchmarks=["ptb_xl", "cpsc2018", "csn"],
    encoders=["cgdmer"], controls=["random", "handcrafted", "ecg_fm"],
    probed=["cgdmer", "random", "handcrafted", "ecg_fm"], robustness=["cgdmer", "random", "handcrafted", "ecg_fm"],
)  # fmt: skip
CLASSES = {
    "ptb_xl_super": ("NORM", "MI", "STTC", "CD", "HYP"),
    "ptb_xl_sub": ("NORM", "IMI"),
    "ptb_xl_form": ("NDT", "PVC"),
    "ptb_xl_rhythm": ("SR", "AFIB", "AFLT", "SARRH"),
}
RECORDS = 120


def index() -> pl.DataFrame:
    """Return an index: three fifths train, one fifth val, one fifth test; its reports are markup unless escaped."""
    numbers = np.arange(RECORDS)
    frame = pl.DataFrame(
        {
            "id": [f"{n:03d}" for n in numbers],
            "patient": [f"p{n}" for n in numbers],
            "member": [f"{n}.hea" for n in numbers],
            "fs": np.full(RECORDS, 500.0),
            "samples": np.full(RECORDS, 5000),
            "leads": [list(LEADS)] * RECORDS,
            "report": [f"<script>alert({n % 9})</script> & sinus rhythm." for n in numbers],
            "age": 30.0 + numbers % 60,
            "sex": [("female", "male")[n % 2] for n in numbers],
            "split": [("train", "train", "train", "val", "test")[n % 5] for n in numbers],
        },
        schema=tables.INDEX_COLUMNS,
    )
    rng = np.random.default_rng(3)
    labels = {
        f"{task}/{name}": (rng.random(RECORDS) < 0.35).astype(np.uint8)
        for task, names in CLASSES.items()
        for name in names
    }
    return frame.with_columns(**labels)


def write_shards(frame: pl.DataFrame) -> None:
    folder = paths.shards(SOURCE)
    folder.mkdir(parents=True)
    time = np.arange(SIGNAL.samples) / SIGNAL.fs
    beat = np.exp(-(((time % 0.8 - 0.4) / 0.02) ** 2)) + 0.2 * np.exp(-(((time % 0.8 - 0.65) / 0.06) ** 2))
    gains = np.random.default_rng(4).uniform(-1200, 1800, (RECORDS, len(LEADS), 1))
    np.save(folder / manifest.shard_name(0), (gains * beat).astype(np.int16))
    zero = {name: pl.lit(0, pl.UInt16) for name in ("missing", "flat")}
    rows = frame.select(
        "id",
        "patient",
        "split",
        "report",
        "age",
        "sex",
        **zero,
        valid=pl.lit(SIGNAL.samples, pl.Int32),
        clipped=pl.lit(0.0, pl.Float32),
    )
    tables.write(rows, folder / manifest.ROWS)
    tables.write(rows.head(0), folder / manifest.QUARANTINE)
    manifest.describe(
        folder, fs=SIGNAL.fs, samples=SIGNAL.samples, leads=LEADS, settings={}, shards={manifest.shard_name(0): RECORDS}
    )


def write_model(frame: pl.DataFrame, **terms: float) -> None:
    objective = settings.Objective(**terms)
    network = weights.create(TINY_MODEL, settings.Masking(), objective, SIGNAL, frame["report"].to_list(), seed=0)
    weights.save(paths.MODEL, network, SIGNAL, {"records": 72, "pool": [SOURCE]})
    curve = pl.DataFrame(
        {"step": [1, 2, 3], "epoch": [1, 1, 2], "loss": [3.0, 2.5, 2.0], "contrastive": [2.0, 1.5, 1.6]}
    )
    write_text(paths.CURVE, curve.write_csv())
    epochs = [{"epoch": 1, "loss": 2.6, "contrastive": 1.7}, {"epoch": 2, "loss": 2.2, "contrastive": 1.65}]
    facts = {
        "records": 72,
        "held_out": 24,
        "steps": 3,
        "parameters": 1000,
        "epochs": epochs,
    }
    write_json(paths.CURVE.with_name("summary.json"), facts)


def write_facts(way: str) -> None:
    write_json(paths.raw(SOURCE) / "manifest.json", {"way": way})
    write_json(paths.index_facts(SOURCE), {"split": {"kind": "hash"}})
    check = {"name": "label_totals_ptb_xl_super", "note": "holds 120 of the 21,799 published records"}
    result = {"success": True, "warnings": ["clipping_rare"], "critical_failed": [], "expectations": [check],
              "quarantined": {"zero gain": 2}, "facts": {"patients": RECORDS}}  # fmt: skip
    write_json(paths.validation(SOURCE) / "result.json", result)


def write_outside() -> None:
    """Write the features of a published encoder as stage embed does, drawn instead of computed."""
    ids = open_shards(paths.shards(SOURCE)).columns("id")["id"].to_list()
    features = {"pooled": np.random.default_rng(5).normal(size=(RECORDS, 8)).astype(np.float32)}
    meta = {
        "encoder": OUTSIDE,
        "source": SOURCE,
        "encoder_digest": "ab" * 32,
        "sets_of_weights": 1,
        "origin": origin(OUTSIDE),
    }
    embeddings.write(paths.embeddings(OUTSIDE, SOURCE), ids, features, meta)


def write_outside_robustness() -> None:
    """Write the results of stage robustness for the published encoder, with the numbers of the method."""
    for task in CLASSES:
        result = read_json(paths.robustness("cgdmer", task))
        write_json(paths.robustness(OUTSIDE, task), result | {"encoder": OUTSIDE})


@functools.cache
def _computed() -> tempfile.TemporaryDirectory[str]:
    """Return a folder with a complete run on local recordings, which takes seconds to compute."""
    folder = tempfile.TemporaryDirectory(prefix="report")
    with chdir(folder.name):
        compute("local")
    return folder


def write(way: str = "local") -> None:
    """Write a complete run below the working directory, a copy of one that this process has computed."""
    shutil.copytree(_computed().name, ".", dirs_exist_ok=True)
    write_facts(way)


def compute(way: str, **terms: float) -> None:
    """Compute a complete run below the working directory; the stages after pretraining are the real ones."""
    frame = index()
    tables.write(frame, paths.index(SOURCE))
    write_shards(frame)
    write_model(frame, **terms)
    write_facts(way)
    write_json(paths.PRETRAINING_SET, {"sources": {SOURCE: {"digest": open_shards(paths.shards(SOURCE)).digest}}})
    for encoder in ("cgdmer", "random"):
        stages.find("embed")(encoder, SOURCE, embed=settings.Embed(), model=TINY_MODEL, signal=SIGNAL)
    write_outside()
    for encoder in ("cgdmer", "random", OUTSIDE):
        probe = settings.Probe(fractions=[0.1, 1.0], seeds=2, C=[0.01, 1.0], bootstrap=20)
        stages.find("probe")(encoder, SOURCE, probe=probe)
    disturbances = [settings.Noise(kind="white", mv=0.2), settings.Exchange(kind="exchange", electrodes=["RA", "LA"])]
    robustness = settings.Robustness(lead_sets=[["I", "II", "V2"], ["I"]], disturbances=disturbances)
    stages.find("robustness")(
        "cgdmer", SOURCE, robustness=robustness, embed=settings.Embed(), model=TINY_MODEL, probe=probe, signal=SIGNAL
    )
    write_outside_robustness()
    if terms.get("contrastive", 1.0):
        stages.find("zero_shot")(SOURCE, zero_shot=settings.ZeroShot(bootstrap=20))
        stages.find("retrieval")(retrieval=settings.Retrieval(max_records=20))
        stages.find("disentanglement")(disentanglement=settings.Disentanglement(min_reports=2, bootstrap=20))
