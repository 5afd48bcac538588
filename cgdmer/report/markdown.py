"""Owns `report.md`: the same numbers as the page, for a terminal, a diff or a pull request."""

from collections.abc import Sequence
from html import escape
from typing import Any

from cgdmer.report import ablations, compatibility, disentanglement, finetuning, robustness
from cgdmer.report.corpora import SPLITS, WAYS, missing
from cgdmer.report.gather import Findings
from cgdmer.report.headline import SOURCE_NAMES, TASK_NAMES, at, fractions, lines_of, name_of, percent
from cgdmer.report.html import summary
from cgdmer.report.numbers import how, tested
from cgdmer.report.paired import Comparison


def write(found: Findings, metrics: dict[str, Any], compared: Sequence[Comparison], title: str) -> str:
    """Return the Markdown text."""
    shares = list(reversed(fractions(metrics)))
    parts = [f"# {escape(title, quote=False)}", summary(metrics, shares[0])]
    parts += [_probes(metrics, fraction) for fraction in shares]
    parts += [_differences(compared), _finetuning(found), *_conditions(found), _zero_shot(metrics)]
    parts += [_retrieval(metrics["retrieval"]), _parts(found.disentanglement)]
    parts.append(_compatibility(found))
    parts += [_ablations(found, metrics, shares[0]), _data(found)]
    parts.append("## What is not reproduced\n\n" + "\n".join(f"- {line}" for line in missing(found)))
    rows = [[name, f"`{value}`"] for name, value in found.versions.items()]
    parts.append("## Versions\n\n" + grid(["What", "Version"], rows))
    return "\n\n".join(part for part in parts if part) + "\n"


def grid(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table; pipes in cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _cell(entry: dict[str, Any] | None) -> str:
    return f"{entry['mean']:.3f} ({entry['low']:.3f} to {entry['high']:.3f})" if entry else "–"


def _probes(metrics: dict[str, Any], fraction: str) -> str:
    cells = at(metrics, fraction)
    entries = [e for encoders in cells.values() for kinds in encoders.values() for e in kinds.values()]
    head = ["Encoder", "Features", *(f"{TASK_NAMES[t]}, n {tested(cells[t])}" for t in cells)]
    rows = [[name_of(e), kind, *(_cell(cells[t].get(e, {}).get(kind)) for t in cells)] for e, kind in lines_of(cells)]
    intro = f"Macro AUROC with 95% interval; {how(entries)}; n test records."
    return f"## Linear probes, {percent(fraction)} of the labels\n\n{intro}\n\n{grid(head, rows)}"


def _differences(compared: Sequence[Comparison]) -> str:
    rows = [[TASK_NAMES[item.task], name_of(item.control),
             f"{item.difference.mean:+.3f} ({item.difference.low:+.3f} to {item.difference.high:+.3f})"]
            for item in compared]  # fmt: skip
    intro = "Macro AUROC of CG-DMER minus a control's, pooled features, headline label share; paired bootstrap."
    return f"## Differences\n\n{intro}\n\n{grid(['Task', 'Control', 'Difference'], rows)}" if rows else ""


def _finetuning(found: Findings) -> str:
    head, rows, intro = finetuning.markdown(found.finetuning)
    return f"## Fine-tuning\n\n{intro}" + (f"\n\n{grid(head, rows)}" if rows else "")


def _conditions(found: Findings) -> list[str]:
    tables = robustness.markdown(found.robustness)
    return [f"## {title}\n\n{intro}\n\n{grid(head, rows)}" for title, intro, head, rows in tables]


def _compatibility(found: Findings) -> str:
    blocks = [f"{intro}\n\n{grid(head, rows)}" for intro, head, rows in compatibility.markdown(found.probes)]
    return "\n\n".join(["## Published protocols", *blocks]) if blocks else ""


def _ablations(found: Findings, metrics: dict[str, Any], fraction: str) -> str:
    tables = ablations.markdown(found.ablations, metrics, fraction, found.reached)
    blocks = [part for intro, head, rows in tables for part in (intro, grid(head, rows) if rows else "") if part]
    return "\n\n".join(["## Ablations", *blocks])


def _zero_shot(metrics: dict[str, Any]) -> str:
    found = {task: metrics["zero_shot"][task] for task in TASK_NAMES if task in metrics["zero_shot"]}
    rows = [[TASK_NAMES[t], _cell(e), f"{e['n_test']:,}", e["prompts"], e["protocol"]] for t, e in found.items()]
    head = ["Task", "Macro AUROC", "n test", "Prompts", "Protocol"]
    return f"## Zero-shot, CG-DMER, aligned features\n\n{grid(head, rows)}" if rows else ""


def _retrieval(found: dict[str, Any]) -> str:
    if not found:
        return ""
    ks = sorted(found["ecg_to_report"]["recall"], key=int)
    rows = [
        [name, *(f"{found[way]['recall'][k]:.1%}" for k in ks), f"{found[way]['median_rank']:g}"]
        for name, way in (("ECG to report", "ecg_to_report"), ("Report to ECG", "report_to_ecg"))
    ]
    intro = (
        f"{found['n']:,} held-out records, {found['distinct_reports']:,} distinct reports; an identical one is correct."
    )
    head = ["", *(f"Recall at {k}" for k in ks), "Median rank"]
    return f"## Retrieval\n\n{intro}\n\n{grid(head, rows)}"


def _parts(found: dict[str, Any]) -> str:
    if not found or not (found["content"] or found["reconstruction"]):
        return ""
    rows = [list(row) for row in disentanglement.rows(found)]
    return f"## Shared and specific\n\n{disentanglement.caption(found)}\n\n{grid(['measured', 'from', 'value'], rows)}"


def _data(found: Findings) -> str:
    rows = []
    for name, facts in found.sources.items():
        split = facts["split"].get("kind", "") if isinstance(facts["split"], dict) else str(facts["split"])
        rows.append([SOURCE_NAMES.get(name, name), WAYS.get(facts["way"], facts["way"]), SPLITS.get(split, split),
                     f"{facts['records']:,}", f"{facts['quarantined']:,}", f"`{facts['digest'][:12]}`"])  # fmt: skip
    return "## Data\n\n" + grid(["Corpus", "Came by", "Split", "Records", "Quarantined", "Digest"], rows)
