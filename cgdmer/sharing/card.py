"""A model card in the form of the Hugging Face hub: YAML between two lines of dashes, then Markdown."""

from pathlib import Path
from typing import Any

import yaml

from cgdmer.files import read_json, sha256
from cgdmer.metrics_json import Metrics
from cgdmer.models import weights

FRACTION = "1.0"
TAGS = ["ecg", "electrocardiogram", "12-lead", "contrastive-learning", "masked-autoencoder", "cgdmer"]
BODY = """# {name}

A CG-DMER encoder of 12-lead ECGs and their reports: it maps an ECG in mV at {fs:g} Hz, up to {seconds:g} s, any leads
by name, to {kinds} features. Pretrained on {records} records of {corpora}.

```python
import cgdmer

encoder = cgdmer.load_encoder("hf:OWNER/NAME")
recording = cgdmer.read_record("record.hea", encoder)
features = encoder.encode(recording.signal[None])
```

Research use only: it is not a medical device and has not been evaluated for patient care. The tokenizer is learned from
the training reports; its vocabulary can contain a rare word of a single report.
"""


def text(model: Path, name: str, licence: str, metrics: Metrics | None) -> str:
    """Return the card of the model in a folder; `metrics` adds its linear probes if they are of these weights."""
    config = read_json(model / weights.CONFIG)
    signal, facts = config["signal"], config["facts"]
    objective = config["objective"]
    kinds = ["shared", *(["specific"] if config["model"]["disentangled"] else []), "pooled"]
    kinds += ["aligned"] if objective["contrastive"] else []
    body = BODY.format(
        name=name,
        fs=signal["fs"],
        seconds=signal["seconds"],
        kinds=", ".join(kinds[:-1]) + f" and {kinds[-1]}",
        records=f"{facts['records']:,}" if "records" in facts else "an unknown number of",
        corpora=", ".join(facts.get("pool", [])) or "unknown corpora",
    )
    content = yaml.safe_dump(head(name, licence, facts, _matching(model, metrics)), sort_keys=False, allow_unicode=True)
    return f"---\n{content}---\n\n{body}"


def head(name: str, licence: str, facts: dict[str, Any], metrics: Metrics | None) -> dict[str, Any]:
    """Return the fields of the YAML part, named as the hub names them."""
    fields: dict[str, Any] = {
        "license": licence,
        "library_name": "cgdmer",
        "pipeline_tag": "feature-extraction",
        "tags": TAGS,
    }
    if facts.get("pool"):
        fields["datasets"] = list(facts["pool"])
    if metrics and (results := list(_results(metrics))):
        fields["model-index"] = [{"name": name, "results": results}]
    return fields


def _matching(model: Path, metrics: Metrics | None) -> Metrics | None:
    """Return the metrics if they are of the weights in `model`."""
    same = metrics is not None and metrics.versions.get("model") == sha256(model / weights.WEIGHTS)[:16]
    return metrics if same else None


def _results(metrics: Metrics) -> list[dict[str, Any]]:
    """Return one entry per task: macro AUROC of the linear probe with all labels."""
    kind = metrics.main("cgdmer")
    own = {task: by_fraction.get(FRACTION, {}).get("cgdmer", {}) for task, by_fraction in metrics.auroc.items()}
    return [
        {
            "task": {"type": "multi-label-classification", "name": f"linear probe on {kind} features, all labels"},
            "dataset": {"type": task, "name": task},
            "metrics": [{"type": "roc_auc", "name": "macro AUROC", "value": cell.mean}],
        }
        for task, kinds in own.items() if (cell := kinds.get(kind))
    ]  # fmt: skip
