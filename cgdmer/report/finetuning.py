"""The section on full fine-tuning and training from scratch, which are never ranked with linear probes."""

from collections.abc import Mapping

from cgdmer.metrics_json import protocols_and_seeds
from cgdmer.page import Html, section
from cgdmer.report import table
from cgdmer.report.headline import percent, task_head
from cgdmer.report.table import Content, Table
from cgdmer.results import FinetunedCell, ProbeCell, ProbeResult

STARTS = {"fine-tuned": "CG-DMER fine-tuned", "from scratch": "Same architecture from scratch"}
"""Row names by what training started from, worded so that no row can be mistaken for a probe."""
OFF = "Off in this run. To switch it on: set finetune.enabled to true in params.yaml, then dvc repro."
LEAD = (
    "All weights of the ECG encoder are trained on labels, from the pretrained weights or from scratch, with the same "
    "architecture, the same subsets as the probes, and the epoch chosen on validation. These are not linear probes and "
    "are not ranked with them."
)
Results = Mapping[str, ProbeResult]
"""By task; empty while fine-tuning is off."""


def cells(results: Results) -> dict[str, dict[str, dict[str, FinetunedCell]]]:
    """Return the cells by task, label fraction and start."""
    return {
        task: {
            fraction: {start: _cell(cell, result.protocol) for start, cell in starts.items()}
            for fraction, starts in result.results.items()
        }
        for task, result in results.items()
    }


def _cell(cell: ProbeCell, protocol: str) -> FinetunedCell:
    return FinetunedCell(**cell.cell(protocol).to_json(), n_train=cell.n_train or 0, epoch=cell.epoch or [])


def tables(results: Results) -> list[Table]:
    """Return one table, a row per start and label fraction, most labels first; none while fine-tuning is off."""
    if not results:
        return []
    by_task = cells(results)
    fractions = sorted({fraction for task in by_task.values() for fraction in task}, key=float, reverse=True)
    rows: list[list[Content]] = [
        [STARTS[start], percent(fraction), *(task.get(fraction, {}).get(start) for task in by_task.values())]
        for fraction in fractions for start in STARTS
    ]  # fmt: skip
    of_task = {t: [cell for starts in task.values() for cell in starts.values()] for t, task in by_task.items()}
    made = protocols_and_seeds(cell for cells in of_task.values() for cell in cells)
    caption = f"Macro AUROC on the test split with 95% intervals; {made}; n is the number of test records."
    return [Table(caption, ["Start", "Labels", *(task_head(t, cells) for t, cells in of_task.items())], rows)]


def finetuning_section(results: Results) -> Html:
    """Draw the table, or the sentence that says how to switch fine-tuning on."""
    blocks = [table.html(one) for one in tables(results)]
    return section("finetuning", "Fine-tuning", blocks, lead=LEAD if blocks else OFF)
