"""Owns where every artefact lies, relative to the project root, which is the working directory."""

from pathlib import Path

from cgdmer.tables import TASKS

DATA = Path("data")
REPORTS = Path("reports")
STATE = Path(".cgdmer")
"""Scratch that outlives a killed stage: resume files, partial downloads. Never a DVC output."""

PRETRAINING_SET = DATA / "pretraining_set.json"
PROTOCOL = DATA / "raw" / "protocol"
MODEL = DATA / "models" / "pretrain"
CURVE = REPORTS / "pretrain" / "curve.csv"
METRICS = REPORTS / "metrics.json"
REPORT_HTML = REPORTS / "report.html"
REPORT_MD = REPORTS / "report.md"


def raw(source: str) -> Path:
    """Folder with `<source>.zip` or nothing but `manifest.json` and `files.parquet` of a corpus kept elsewhere."""
    return DATA / "raw" / source


def index(source: str) -> Path:
    return DATA / "index" / f"{source}.parquet"


def index_quarantine(source: str) -> Path:
    return DATA / "index" / f"{source}.quarantine.parquet"


def index_facts(source: str) -> Path:
    """Counts and choices of the index stage, for a person: filters, split kind, label totals."""
    return DATA / "index" / f"{source}.facts.json"


def shards(source: str) -> Path:
    return DATA / "shards" / source


def validation(source: str) -> Path:
    """Folder with `result.json` and the self-contained `index.html`."""
    return REPORTS / "validation" / source


def embeddings(encoder: str, source: str) -> Path:
    return DATA / "embeddings" / encoder / source


def probe(encoder: str, task: str) -> Path:
    """One file a task, in the folder of its source, which is what one stage call writes."""
    return REPORTS / "probe" / encoder / TASKS[task] / f"{task}.json"


def predictions(encoder: str, task: str) -> Path:
    return DATA / "predictions" / encoder / TASKS[task] / f"{task}.parquet"


def finetuning(task: str) -> Path:
    """One file a task, in the folder of its source; while fine-tuning is off there is `status.json` alone."""
    return REPORTS / "finetune" / TASKS[task] / f"{task}.json"


def robustness(encoder: str, task: str) -> Path:
    """Probes with fewer leads and under disturbance."""
    return REPORTS / "robustness" / encoder / TASKS[task] / f"{task}.json"


def robustness_predictions(encoder: str, task: str) -> Path:
    return DATA / "robustness" / encoder / TASKS[task] / f"{task}.parquet"


def fitted_probe(encoder: str, task: str) -> Path:
    """The fitted layers of a task, beside its predictions."""
    return predictions(encoder, task).with_suffix(".probe.safetensors")


def zero_shot(task: str) -> Path:
    return REPORTS / "zero_shot" / TASKS[task] / f"{task}.json"


def retrieval() -> Path:
    return REPORTS / "retrieval.json"


def disentanglement() -> Path:
    return REPORTS / "disentanglement.json"


def scratch(stage: str, *items: str) -> Path:
    """Folder for work in progress of one stage call; survives a kill, removed at the end of the stage."""
    return STATE.joinpath("work", stage, *items)
