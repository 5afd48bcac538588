"""Owns what the report says of the two parts: what each knows of the report, and what each rebuilds of the signal."""

from collections.abc import Mapping
from typing import Any

from cgdmer import paths
from cgdmer.files import read_json
from cgdmer.page import Html, number, section, table
from cgdmer.report.headline import SOURCE_NAMES

LEAD = (
    "The shared part is to hold what ECG and report have in common, the specific part what only the signal shows. "
    "A linear probe on each part is asked for the statements of the report; the decoder is asked for the hidden "
    "patches with one part in place and the other replaced by its mean."
)
ROWS = {
    "shared": "shared alone",
    "specific": "specific alone",
    "pooled": "both",
    "both": "both",
    "neither": "neither",
    "shared minus specific": "shared minus specific",
}


def read() -> dict[str, Any]:
    """Return the result of the stage disentanglement; empty where it did not run."""
    found: dict[str, Any] = read_json(paths.disentanglement()) if paths.disentanglement().is_file() else {}
    return found


def rows(found: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return what is measured, from which part, and the value with its interval."""
    measured = (("report statements, macro AUROC", "content"), ("hidden patches, squared error", "reconstruction"))
    return [(what, ROWS[part], _value(cell)) for what, kind in measured for part, cell in found[kind].items()]


def caption(found: Mapping[str, Any]) -> str:
    """Say on how many records of what the numbers are."""
    n, sources = found["n"], ", ".join(SOURCE_NAMES.get(name, name) for name in found["sources"])
    return (
        f"{number(n['measured'])} test records of {sources}, {n['statements']} statements; probes fitted on "
        f"{number(n['fitted'])} training records; 95 % intervals over records."
    )


def disentanglement_section(found: Mapping[str, Any]) -> Html | None:
    """Draw the table, or nothing where the model has one part or the stage did not run."""
    if not found or not (found["content"] or found["reconstruction"]):
        return None
    head = ("Measured", "From", "Value")
    return section("parts", "Shared and specific", table(caption(found), head, rows(found), text=(0, 1)), lead=LEAD)


def _value(cell: Mapping[str, float]) -> str:
    return f"{cell['mean']:.3f} [{cell['low']:.3f}, {cell['high']:.3f}]"
