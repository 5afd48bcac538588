"""The section on the attentive-pooling probe, and the same table for a terminal and Markdown."""

from cgdmer.attentive.results import AttentiveReport
from cgdmer.metrics_json import Metrics
from cgdmer.page import Html, section
from cgdmer.report import leakage, table
from cgdmer.report.headline import METHOD, TASK_NAMES, encoder_order, name_of, percent
from cgdmer.report.table import Content, Table, stacked
from cgdmer.results import Cell, Interval

TITLE = "Attentive pooling"
LEAD = (
    "Frozen encoders whose tokens are weighed by one learned query, then a linear layer. Beside it, the same training "
    "with the query held at zero, which is the mean over tokens: their difference is what the query adds. The subsets "
    "are those of the linear probe, whose column shows stored features, solved to convergence. Weight decay and epoch "
    "are chosen on validation."
)


def tables(report: AttentiveReport | None, metrics: Metrics | None = None) -> list[Table]:
    """Return one table: a row per task, encoder and label fraction; none without a result.

    With `metrics`, it has the linear probe's column, and numbers on corpora that an encoder has seen are marked.
    """
    if report is None or not any(report.tasks.values()):
        return []
    rows = [
        [TASK_NAMES[task], name_of(encoder), percent(fraction), *_numbers(task, encoder, fraction, report, metrics)]
        for task, results in report.tasks.items()
        for encoder in sorted(results, key=encoder_order)
        for fraction in sorted(results[encoder].fractions, key=float, reverse=True)
    ]
    head = ["Task", "Encoder", "Labels", "Attentive", "Mean", "Attentive minus mean"]
    return [Table(_caption(report), [*head, *(["Linear probe"] if metrics else [])], rows, text=(0, 1, 2))]


def _numbers(task: str, encoder: str, fraction: str, report: AttentiveReport, metrics: Metrics | None) -> list[Content]:
    cell = report.tasks[task][encoder].fractions[fraction]

    def shown(value: Interval | None) -> Content:
        if metrics is None:
            return value
        if encoder == METHOD:
            return leakage.marked(metrics, task, value)
        return leakage.marked_of_other(metrics, encoder, task, value)

    gap = stacked(cell.difference.value(signed=True), cell.difference.bounds(signed=True))
    numbers = [shown(cell.attentive.cell("attentive")), shown(cell.mean.cell("mean")), gap]
    if metrics is None:
        return numbers
    return [*numbers, shown(_linear(metrics, task, fraction, encoder))]


def _linear(metrics: Metrics, task: str, fraction: str, encoder: str) -> Cell | None:
    """Return the linear probe of the features that stand for an encoder, of a random control with its first weights."""
    first = metrics.by_weights.get(task, {}).get(fraction, {}).get(encoder, {}).get("0")
    kinds = first or metrics.auroc.get(task, {}).get(fraction, {}).get(encoder, {})
    return kinds.get(metrics.main(encoder))


def _caption(report: AttentiveReport) -> str:
    cells = [cell for results in report.tasks.values() for one in results.values() for cell in one.fractions.values()]
    seeds = sorted({len(cell.attentive.seeds) for cell in cells})
    return (
        f"Macro AUROC on the test split with 95% intervals over records and training subsets; "
        f"{' or '.join(map(str, seeds))} seed{'' if seeds == [1] else 's'}; random encoders with their first set of "
        "weights."
    )


def attentive_section(report: AttentiveReport | None, metrics: Metrics) -> Html | None:
    """Draw the table; None without a result."""
    made = tables(report, metrics)
    if not made or report is None:
        return None
    model = metrics.versions.get("model", "none")
    same = "the encoder of this page" if report.model == model else f"another encoder than this page's ({model})"
    written = f"Written by the command attentive-probe with weights {report.model}, {same}."
    return section("attentive", TITLE, *map(table.html, made), lead=f"{LEAD} {written}")


def headline(report: AttentiveReport) -> str:
    """Return the table for a terminal."""
    return "\n\n".join(table.text(one) for one in tables(report))
