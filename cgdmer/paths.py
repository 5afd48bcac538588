"""Paths of all artefacts, relative to the project root, which is the working directory."""

from pathlib import Path

from cgdmer.tables import TASKS

DATA = Path("data")
REPORTS = Path("reports")
STATE = Path(".cgdmer")
"""Scratch files that survive a killed stage, such as partial downloads. Never a DVC output."""

CODE = DATA / "code"
PRETRAINING_SET = DATA / "pretraining_set.json"
PROTOCOL = DATA / "raw" / "protocol"
MODEL = DATA / "models" / "pretrain"
BASE = DATA / "models" / "base"
"""The encoder that `python -m cgdmer train-encoder` trains and the package ships; no stage writes it."""
CURVE = REPORTS / "pretrain" / "curve.csv"
METRICS = REPORTS / "metrics.json"
HEADLINE = REPORTS / "headline.json"
REPORT_HTML = REPORTS / "report.html"
REPORT_MD = REPORTS / "report.md"


def code(call: str) -> Path:
    """Return the file with the digests of the code that a stage call runs."""
    return CODE / f"{call}.json"


def raw(source: str) -> Path:
    """Return the folder of `<source>.zip`, or of only its manifest if the corpus is kept elsewhere."""
    return DATA / "raw" / source


def index(source: str) -> Path:
    return DATA / "index" / f"{source}.parquet"


def index_quarantine(source: str) -> Path:
    return DATA / "index" / f"{source}.quarantine.parquet"


def index_facts(source: str) -> Path:
    """Return the file of counts and choices of the index stage: filters, kind of split, label totals."""
    return DATA / "index" / f"{source}.facts.json"


def shards(source: str) -> Path:
    return DATA / "shards" / source


def validation(source: str) -> Path:
    """Return the folder of `result.json` and the self-contained `index.html`."""
    return REPORTS / "validation" / source


def embeddings(encoder: str, source: str, weights: int = 0) -> Path:
    """Return the folder of an encoder's features; the further sets of weights of a random control lie inside it."""
    folder = DATA / "embeddings" / encoder / source
    return folder / f"weights-{weights}" if weights else folder


def probe(encoder: str, task: str) -> Path:
    """Return the file of a task, in the folder of its source, which is the output of one stage call."""
    return REPORTS / "probe" / encoder / TASKS[task] / f"{task}.json"


def predictions(encoder: str, task: str) -> Path:
    return DATA / "predictions" / encoder / TASKS[task] / f"{task}.parquet"


def finetuning(task: str) -> Path:
    """Return the file of a task, in the folder of its source; if fine-tuning is off, it holds only `status.json`."""
    return REPORTS / "finetune" / TASKS[task] / f"{task}.json"


def robustness(encoder: str, task: str) -> Path:
    """Return the results of probes with fewer leads and of disturbed recordings."""
    return REPORTS / "robustness" / encoder / TASKS[task] / f"{task}.json"


def robustness_predictions(encoder: str, task: str) -> Path:
    return DATA / "robustness" / encoder / TASKS[task] / f"{task}.parquet"


def fitted_probe(encoder: str, task: str) -> Path:
    """Return the fitted layers of a task, in the folder of its predictions."""
    return predictions(encoder, task).with_suffix(".probe.safetensors")


def zero_shot(task: str) -> Path:
    return REPORTS / "zero_shot" / TASKS[task] / f"{task}.json"


def zero_shot_predictions(task: str) -> Path:
    """Return the cosines of the test records, from which paired differences are computed."""
    return DATA / "zero_shot" / TASKS[task] / f"{task}.parquet"


def retrieval() -> Path:
    return REPORTS / "retrieval.json"


def disentanglement() -> Path:
    return REPORTS / "disentanglement.json"


def measurements() -> Path:
    return REPORTS / "measurements.json"


def realism() -> Path:
    """Return what `python -m benchmarks.realism` measured; no stage writes it."""
    return REPORTS / "realism.json"


def rehearsal() -> Path:
    """Return what `python -m benchmarks.rehearsal` measured; no stage writes it."""
    return REPORTS / "rehearsal.json"


def real() -> Path:
    """Return the results on sets of real recordings, which a command writes and no stage."""
    return REPORTS / "real.json"


def attentive() -> Path:
    """Return the results of the attentive-pooling probe, which a command writes and no stage."""
    return REPORTS / "attentive.json"


def recordings(key: str) -> Path:
    """Return the file of recordings without report that pretraining reads, in canonical form."""
    return STATE / "recordings" / f"{key}.npz"


def scratch(stage: str, *items: str) -> Path:
    """Return the folder for work in progress of one stage call; it survives a kill and is removed at the end."""
    return STATE.joinpath("work", stage, *items)
