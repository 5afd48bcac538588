"""The model card of a packaged encoder: every number comes from `about.json` and `config.json`."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from cgdmer.encoders import cgdmer_base
from cgdmer.files import read_json
from cgdmer.models import weights
from cgdmer.results import Cell, Interval
from cgdmer.sharing import card, card_sources
from cgdmer.sharing.about import About, Corpus
from cgdmer.tables import TASKS

USE = """Research on 12-lead ECGs: frozen features for linear probes, retrieval and zero-shot scores, and a baseline to
compare with. It is **not a medical device**: it has not been evaluated for patient care, and no decision about a person
may rest on it."""
LEAD_SET = re.compile(r"(\d+) leads? \(")
"""The name of a condition with fewer leads, such as `2 leads (I, II)`."""
LICENCE = "mit"
"""Of packaged weights: that of this package."""
CODE = """```python
import cgdmer

encoder = cgdmer.load_encoder({address})
recording = cgdmer.read_record("record.hea", encoder)
features = encoder.encode(recording.signal[None])
```"""
DEFAULT = "`cgdmer embed FILES` and `cgdmer score FILES` use it if no other encoder is named."
COPIED = """`cgdmer embed FILES --model hf:OWNER/NAME` does the same on the command line. This copy holds no probes:
with it, `cgdmer score` gives cosines with prompts and no probabilities."""
HAND_CRAFTED = "handcrafted"
LIMITS = (
    "Probabilities come from probes fitted on simulated records: on real recordings they are neither calibrated nor "
    "valid. Fit a probe on your own labels.",
    "Other devices, filters and populations than those in the tables were not tested; children, paced rhythms and rare "
    "diseases hardly occur in the simulator.",
    "Reports are those of a simulator and in English; negation and laterality are weak points of sentence encoders.",
    "Shared and specific features are separated by a penalty, not by proof.",
)


def text(
    folder: Path, name: str, about: About, licence: str, *, percentiles: bool = False, copied: bool = False
) -> str:  # fmt: skip
    """Return the card of the packaged encoder in `folder`, in the form of the Hugging Face hub.

    `percentiles` is whether the folder holds the scores of test records; `copied` is whether the card is that of a copy
    without probes, which is loaded by its address on the hub.
    """
    config = read_json(folder / weights.CONFIG)
    head = yaml.safe_dump(_head(name, licence, config, about), sort_keys=False, allow_unicode=True)
    sections = {
        "Use": _use(copied=copied),
        "Data": data(config["facts"], about),
        "Simulated records": _simulated(about, percentiles=percentiles),
        "Disturbed recordings": _disturbed(about),
        "Real recordings": _real(about),
        "Real recordings with few labels or none": _few(about),
        "Half precision": _half(about),
        "Limits": "\n".join(f"- {line}" for line in LIMITS),
    }
    signal = config["signal"]
    about_it = (
        f"# {name}\n\nA CG-DMER encoder of 12-lead ECGs and their reports (arXiv 2602.21154). It maps an ECG in mV at "
        f"{signal['fs']:g} Hz, up to {signal['seconds']:g} s, any leads by name, to features. Digest "
        f"`{about.digest[:12]}`."
    )
    body = "\n\n".join([about_it, *(f"## {title}\n\n{content}" for title, content in sections.items() if content)])
    return f"---\n{head}---\n\n{body}\n"


def _use(*, copied: bool) -> str:
    code = CODE.format(address='"hf:OWNER/NAME"' if copied else "")
    return f"{code}\n\n{COPIED if copied else DEFAULT}\n\n{USE}"


def _head(name: str, licence: str, config: dict[str, Any], about: About) -> dict[str, Any]:
    fields = card.head(name, licence, config["facts"], None)
    results = [
        {
            "task": {"type": "multi-label-classification", "name": "linear probe on pooled features, all labels"},
            "dataset": {"type": task, "name": f"{task}, simulated"},
            "metrics": [{"type": "roc_auc", "name": "macro AUROC", "value": cell.mean}],
        }
        for task, cell in _by_task(about)
    ]
    return fields | {"model-index": [{"name": name, "results": results}]}


def data(facts: dict[str, Any], about: About) -> str:
    """Say what the encoder and its probes were trained on."""
    told = {key: value for key, value in facts.items() if value and key != "measurements"}  # that is a scale
    trained = "\n".join(f"- {key.replace('_', ' ')}: {_plain(value)}" for key, value in told.items())
    corpora = ", ".join(f"{source} ({_count(corpus)})" for source, corpus in about.corpora.items())
    return (
        f"Pretraining read {about.encoder_saw} recordings:\n\n{trained or '- nothing is stated'}\n\n"
        f"{card_sources.text(facts)}\n\n"
        f"The probes were fitted on {about.probes_saw} recordings, which this package makes itself: {corpora}. "
        "No patient's data is in the probes."
    )


def _plain(value: Any) -> str:
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int | float):
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items()) or "none"
    return ", ".join(map(_plain, value)) or "none"


def _count(corpus: Corpus) -> str:
    return f"{corpus.records:,} records, shards `{corpus.digest[:12]}`"


def _simulated(about: About, *, percentiles: bool) -> str:
    rows = [
        [task, cell.text(), zero.text() if (zero := about.zero_shot.get(task)) else "-", f"{cell.n_test:,}"]
        for task, cell in _by_task(about)
    ]
    intro = (
        "Macro AUROC on the test split of the simulated corpora, with 95% bootstrap intervals: linear probes on pooled "
        "features with all labels, and zero-shot. These are not clinical numbers."
    )
    if percentiles:
        intro += " `cgdmer score` gives the percentile of a probability among these test records."
    return f"{intro}\n\n{_table(['Task', 'Probe', 'Zero-shot', 'Test records'], rows)}"


def _by_task(about: About) -> list[tuple[str, Cell]]:
    """Return the probes in the order of the tasks."""
    return [(task, about.probes[task]) for task in TASKS if task in about.probes]


def _disturbed(about: About) -> str:
    """Return what fewer leads and disturbances change; '' if it was not measured."""
    if not about.disturbed:
        return ""
    names = _names(name for changes in about.disturbed.values() for name in changes)
    rows = [
        [condition, *(f"{changes[name]:+.3f}" if name in changes else "-" for name in names)]
        for condition, changes in sorted(about.disturbed.items(), key=lambda item: _leads_first(item[0]))
    ]
    intro = (
        "Change of the macro AUROC from twelve clean leads, mean over the simulated tasks, pooled features, all "
        "labels: new probes for fewer leads, the probes of clean records for disturbances."
    )
    return f"{intro}\n\n{_table(['Condition', *names], rows)}"


def _leads_first(condition: str) -> tuple[bool, int, str]:
    """Return where a condition stands in the table: lead sets from the largest down, then disturbances by name."""
    leads = LEAD_SET.match(condition)
    return leads is None, -int(leads[1]) if leads else 0, condition


def _real(about: About) -> str:
    """Return the tables of `external-validation`; a sentence if it has not run."""
    if not about.real:
        return "Not measured. `python -m cgdmer external-validation --encoders cgdmer_base` measures it."
    names = _names(name for row in about.real.values() for name in row.encoders)
    rows = [
        [task, *(_cell(row.encoders.get(name)) for name in names), f"{row.records:,}"]
        for task, row in about.real.items()
    ]
    gaps = [
        [task, *(_cell(row.differences.get(name), signed=True) for name in names[1:])]
        for task, row in about.real.items()
    ]
    intro = (
        "Macro AUROC with 95% intervals over patients: frozen pooled features, linear probes, folds by patient. Below, "
        "this encoder minus each other one on the same records."
    )
    first, second = _table(["Task", *names, "Records"], rows), _table(["Task", *names[1:]], gaps)
    return f"{intro}\n\n{first}\n\n{second}" if len(names) > 1 else f"{intro}\n\n{first}"


def _names(encoders: Iterable[str]) -> list[str]:
    """Return the encoders once each, the packaged one first."""
    return sorted(set(encoders), key=lambda name: (name != cgdmer_base.NAME, name))


def _few(about: About) -> str:
    """Return the scores with few labels or none; '' if they were not measured."""
    told = [(task, few) for task, row in (about.real or {}).items() for few in row.few]
    names = _names(name for _, few in told for name in few.encoders)
    rows = [
        [task, few.labels, *(_cell(few.encoders.get(name)) for name in names),
         _cell(few.differences.get(HAND_CRAFTED), signed=True)]
        for task, few in told
    ]  # fmt: skip
    intro = (
        "Macro AUROC with 95% intervals over patients. Zero-shot compares with the prompts of this package; the probes "
        "of simulated labels have seen no real recording; the others were fitted on so many records of the other "
        "folds, the same for all encoders, in three draws. The last column is this encoder minus hand-crafted features."
    )
    return f"{intro}\n\n{_table(['Task', 'Labels', *names, 'minus hand-crafted'], rows)}" if rows else ""


def _cell(interval: Interval | None, *, signed: bool = False) -> str:
    return "-" if interval is None else interval.text(signed=signed)


def _half(about: About) -> str:
    half = about.half
    return (
        f"The weights are stored as float16, small tensors in fp32 ({half.bytes / 1e6:.1f} MB), and run in fp32. On "
        f"{half.records} simulated records no feature differs from the fp32 weights' by more than {half.worst:.2g} "
        f"standard deviations; the lowest correlation of a representation is {half.correlation:.6f}."
    )


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
