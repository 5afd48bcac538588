"""The arguments of `cgdmer fit` apart from those that it shares with `embed`, and those of its probes in `score`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cgdmer.commands.embed import Request


def add(commands: Any, inputs: argparse.ArgumentParser) -> None:
    """Add the command to the parser of the command line; `inputs` holds the arguments that it shares with `embed`."""
    table = argparse.ArgumentParser(add_help=False)
    table.add_argument(
        "table", metavar="LABELS", help="a .csv or .parquet with a row per recording, a column per label"
    )
    fit = commands.add_parser(
        "fit", parents=[table, inputs], help="fit a probe on your own labels, cross-validated by patient and calibrated"
    )
    fit.add_argument(
        "-o", "--output", metavar="FOLDER", default="my.probe", help="a new folder *.probe; default: %(default)s"
    )
    fit.add_argument("--recording", metavar="COLUMN", help="names the recording; default: recording, id, path or file")
    fit.add_argument("--patient", metavar="COLUMN", help="names the patient; default: patient, if there is one")
    fit.add_argument("--labels", metavar="NAME,NAME", help="columns of 0 and 1 to fit; default: all other columns")
    fit.add_argument(
        "--features", choices=("learned", "measurements", "both"), default="learned",
        help="of the encoder, hand-crafted, or both; default: %(default)s",
    )  # fmt: skip
    fit.add_argument("--representation", metavar="NAME", help="pooled (default), shared, specific or aligned features")


def add_to_score(score: argparse.ArgumentParser) -> None:
    """Add what `score` does with the probes of `fit`."""
    score.add_argument(
        "--recalibrate", action="append", default=[], metavar="LABEL=PREVALENCE",
        help="shift the probabilities of a probe of `cgdmer fit` to a known share of yes, for example AF=0.02; "
        "repeatable; a number alone for a probe of one label",
    )  # fmt: skip


def run(options: argparse.Namespace, request: "Request") -> tuple[int, str]:
    """Fit, and return the exit code and what is printed."""
    from cgdmer.commands.fit import FitOptions, fit
    from cgdmer.probing.label_table import ColumnNames

    labels = None if options.labels is None else tuple(name.strip() for name in options.labels.split(","))
    columns = ColumnNames(options.recording, options.patient, labels)
    outcome = fit(
        request, options.model, FitOptions(Path(options.table), columns, options.features, options.representation)
    )
    return outcome.code, outcome.text
