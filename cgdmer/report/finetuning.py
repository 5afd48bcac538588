"""Owns what the report says of full fine-tuning and of training from scratch; never beside the linear probes."""

from collections.abc import Mapping
from typing import Any

from cgdmer import paths
from cgdmer.files import read_json
from cgdmer.page import Child, Html, el, section, table
from cgdmer.report.headline import TASK_NAMES, percent
from cgdmer.tables import TASKS

STARTS = ("fine-tuned", "from scratch")
OFF = "Off in this run. To switch it on: set finetune.enabled to true in params.yaml, then dvc repro."
LEAD = (
    "All weights of the ECG tower learn from labels, from the pretrained weights or from none, with the same "
    "architecture, the same subsets as the probes, and the epoch chosen on validation. These are not linear probes and "
    "are not ranked with them."
)
Results = Mapping[str, Mapping[str, Any]]


def read() -> dict[str, Any]:
    """Return the result of each task that was fine-tuned; empty while fine-tuning is off."""
    return {task: read_json(paths.finetuning(task)) for task in TASKS if paths.finetuning(task).is_file()}


def cells(results: Results) -> dict[str, Any]:
    """Return `{task: {fraction: {start: cell}}}` for metrics.json."""
    return {
        task: {
            fraction: {start: _cell(found, result["protocol"]) for start, found in starts.items()}
            for fraction, starts in result["results"].items()
        }
        for task, result in results.items()
    }


def _cell(found: Mapping[str, Any], protocol: str) -> dict[str, Any]:
    kept = {name: found[name] for name in ("mean", "low", "high", "n_test", "n_train", "epoch")}
    return {**kept, "seeds": len(found["seeds"]), "protocol": protocol}


def rows(results: Results) -> list[tuple[str, str, list[Mapping[str, Any] | None]]]:
    """Return start, label share and one cell a task, most labels first; None where a task lacks it."""
    found = cells(results)
    shares = sorted({share for task in found.values() for share in task}, key=float, reverse=True)
    return [(start, percent(share), [found[task].get(share, {}).get(start) for task in found])
            for share in shares for start in STARTS]  # fmt: skip


def how(results: Results) -> str:
    """Say by which protocol, with how many seeds, and on how many test records the numbers are."""
    every = [cell for task in cells(results).values() for starts in task.values() for cell in starts.values()]
    seeds, protocols = sorted({cell["seeds"] for cell in every}), sorted({cell["protocol"] for cell in every})
    return f"{' and '.join(protocols)}, {' or '.join(map(str, seeds))} seed{'' if seeds == [1] else 's'}"


def finetuning_section(results: Results) -> Html:
    """Draw one row a start and label share, one column a task."""
    if not results:
        return section("finetuning", "Fine-tuning", lead=OFF)
    head: list[Child] = ["Start", "Labels"]
    head += [[TASK_NAMES[t], el("small", f"n {r['n_test']:,}", class_="below")] for t, r in results.items()]
    body = [[name_of(start), share, *(_shown(cell) for cell in found)] for start, share, found in rows(results)]
    caption = f"Macro AUROC on the test split with 95% intervals; {how(results)}; n is the number of test records."
    return section("finetuning", "Fine-tuning", table(caption, head, body), lead=LEAD)


def name_of(start: str) -> str:
    """Name a row so that nobody takes it for a probe."""
    return f"CG-DMER {start}" if start == STARTS[0] else f"Same architecture {start}"


def _shown(cell: Mapping[str, Any] | None) -> Child:
    if not cell:
        return "–"
    return [f"{cell['mean']:.3f}", el("small", f"{cell['low']:.3f} – {cell['high']:.3f}", class_="below")]


def markdown(results: Results) -> tuple[list[str], list[list[str]], str]:
    """Return head, rows and introduction of the Markdown table; no rows while fine-tuning is off."""
    head = ["Start", "Labels", *(f"{TASK_NAMES[task]}, n {result['n_test']:,}" for task, result in results.items())]
    body = [
        [name_of(start), share, *(f"{c['mean']:.3f} ({c['low']:.3f} to {c['high']:.3f})" if c else "–" for c in found)]
        for start, share, found in rows(results)
    ]
    return head, body, f"Macro AUROC with 95% interval; {how(results)}. {LEAD}" if results else OFF
