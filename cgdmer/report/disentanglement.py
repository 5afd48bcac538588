"""The section on shared and specific features: what they hold of the report and of the signal."""

from cgdmer.page import Html, number, section
from cgdmer.report import table
from cgdmer.report.headline import SOURCE_NAMES
from cgdmer.report.table import Content, Table
from cgdmer.results import DisentanglementResult

TITLE = "Shared and specific"
LEAD = (
    "Shared features should hold what ECG and report have in common, specific features what only the signal shows. "
    "Linear probes on each predict the statements of the report; the decoder reconstructs the hidden patches with one "
    "of them in place and the other replaced by its mean."
)
NAMES = {
    "shared": "shared alone",
    "specific": "specific alone",
    "pooled": "both",
    "both": "both",
    "neither": "neither",
    "shared minus specific": "shared minus specific",
}


def tables(result: DisentanglementResult | None) -> list[Table]:
    """Return the table; none if the model has no specific features or the stage did not run."""
    if result is None or not (result.content or result.reconstruction):
        return []
    measured = {
        "report statements, macro AUROC": result.content,
        "hidden patches, squared error": result.reconstruction,
    }
    rows: list[list[Content]] = [
        [what, NAMES[name], interval] for what, row in measured.items() for name, interval in row.items()
    ]
    sources = ", ".join(SOURCE_NAMES.get(name, name) for name in result.sources or [])
    caption = (
        f"{number(result.n['measured'])} test records of {sources}, {result.n['statements']} statements; probes fitted "
        f"on {number(result.n['fitted'])} training records; 95% intervals over records."
    )
    return [Table(caption, ("Measured", "From", "Value"), rows, text=(0, 1))]


def disentanglement_section(result: DisentanglementResult | None) -> Html | None:
    """Draw the table; None if there is nothing to show."""
    blocks = [table.html(one) for one in tables(result)]
    return section("disentanglement", TITLE, blocks, lead=LEAD) if blocks else None
