"""The last lines of a flow run: what was reached, the headline metrics, the gate's verdict, and where to look."""

from cgdmer import paths
from cgdmer.files import read_json
from cgdmer.publishing.gate import ENCODER
from cgdmer.report.headline import name_of, percent
from flows import artifacts
from flows.tasks import Recorded


def lines(until: str, recorded: Recorded | None) -> list[str]:
    """Return the lines; the first says all that fits on one line, as the message of the run's final state."""
    if until != "report":
        return [f"the pipeline is up to date to '{until}'"]
    verdict = recorded.verdict.splitlines() if recorded else []
    first = ["the pipeline is up to date to 'report'", headline()]
    shown = [f"{'gate: ' if number == 0 else ''}{line}" for number, line in enumerate(verdict)]
    links = [f"benchmark page: {artifacts.page(paths.REPORT_HTML)}"]
    if recorded:
        links.append(f"MLflow run: {artifacts.mlflow_page(recorded.run) or recorded.run}")
    return ["; ".join([*first, *shown[:1]]), *others(), *shown, *links]


def headline() -> str:
    """Return the mean macro AUROC of the method over its tasks, at the largest label share, and zero-shot."""
    numbers = read_json(paths.HEADLINE)
    share = max((name.split()[1] for name in numbers["auroc"]), key=float)
    text = f"{name_of(ENCODER)}: macro AUROC {numbers['auroc'][f'{ENCODER} {share}']:.3f} at {percent(share)} of labels"
    if "mean" in numbers.get("zero_shot", {}):
        text += f", zero-shot {numbers['zero_shot']['mean']:.3f}"
    return text


def others() -> list[str]:
    """Return one line per encoder: its mean macro AUROC over the tasks at every label share."""
    rows: dict[str, list[str]] = {}
    for name, value in read_json(paths.HEADLINE)["auroc"].items():
        encoder, share = name.split()
        rows.setdefault(encoder, []).append(f"{value:.3f} at {percent(share)}")
    return [f"macro AUROC, mean over tasks: {name_of(encoder)} {', '.join(cells)}" for encoder, cells in rows.items()]
