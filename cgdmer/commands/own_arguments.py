"""The arguments of the commands for the user's own recordings, and what several of them share."""

import argparse
from typing import Any

from cgdmer.commands import fit_arguments

FORMATS = ".hea .mat .dat .edf .dcm .dicom .xml .scp .ecg .npy .csv"
"""The suffixes of `recordings.discovery`, written out here because help pages import nothing."""


def array_form() -> argparse.ArgumentParser:
    """Return the arguments that say what .npy and .csv files hold."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--fs", type=float, metavar="HZ", help="sampling rate of .npy and .csv files")
    parser.add_argument("--unit", help="unit of .npy and .csv files: mV, V or uV")
    parser.add_argument(
        "--leads", metavar="I,II,V1", help="lead names of .npy files and of .csv files without a header row, in order"
    )
    return parser


def metadata(*, writes: bool = True) -> argparse.ArgumentParser:
    """Return the arguments of every command that reads recordings; `writes` is whether it has an output."""
    parser = argparse.ArgumentParser(add_help=False, parents=[array_form()])
    parser.add_argument(
        "--start", type=float, default=0.0, metavar="SECONDS", help="begin at this second of each recording"
    )
    if writes:
        parser.add_argument(
            "--overwrite",
            action="store_true",
            help="also replace a file that this program did not write; never an input",
        )
    return parser


def searched(*, writes: bool = True) -> argparse.ArgumentParser:
    """Return the arguments of every command that searches for recordings; `writes` is whether it has an output."""
    parser = argparse.ArgumentParser(add_help=False, parents=[metadata(writes=writes)])
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        help=f"recordings ({FORMATS}), folders, zips, or - for a list of paths on stdin",
    )
    return parser


def inputs() -> argparse.ArgumentParser:
    """Return the arguments of every command that encodes recordings."""
    parser = argparse.ArgumentParser(add_help=False, parents=[searched()])
    parser.add_argument(
        "-m", "--model", metavar="FOLDER",
        help="folder of the encoder, cgdmer-base (shipped with this package), models:/NAME@ALIAS or hf:OWNER/NAME; "
        "default: data/models/pretrain if there is one below the working directory, else cgdmer-base",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=float, metavar="SECONDS", help="use SECONDS of each recording; default: the encoder's length"
    )
    return parser


def windows() -> argparse.ArgumentParser:
    """Return the arguments of every command that cuts recordings into windows."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--every", type=float, metavar="SECONDS",
        help="for long recordings: use a window each SECONDS, and write their mean (of measurements the median)",
    )  # fmt: skip
    parser.add_argument("--windows", action="store_true", help="with --every: write a row per window instead")
    return parser


def add_embed(commands: Any) -> None:
    embed = commands.add_parser("embed", parents=[inputs(), windows()], help="compute the features of recordings")
    embed.add_argument(
        "-o", "--output", metavar="FILE", default="embeddings.parquet",
        help=".parquet, .csv, or a folder for .npy arrays; default: %(default)s",
    )  # fmt: skip


def add_score(commands: Any) -> None:
    score = commands.add_parser(
        "score", parents=[inputs(), windows()], help="score recordings with prompts and fitted probes"
    )
    score.add_argument(
        "-o", "--output", metavar="FILE", default="scores.parquet", help=".parquet, .csv or .xlsx; default: %(default)s"
    )
    score.add_argument(
        "--prompts", metavar="JSON", help='a file {"prompts": {"CLASS": "text"}}; default: the prompts of the package'
    )
    score.add_argument(
        "--classes", metavar="AFIB,NORM",
        help="use only the prompts of these classes; with packaged probes, cosines are written only for named prompts",
    )  # fmt: skip
    add_probes(score)
    score.add_argument(
        "--representation", metavar="NAME", help="input of the probes of tasks: pooled (default), shared or specific"
    )
    score.add_argument(
        "--percentiles", action="store_true",
        help="also write the percentile of each probability among the reference recordings of its probe",
    )  # fmt: skip


def add_probes(parser: argparse.ArgumentParser) -> None:
    """Add which probes score, and at which prevalence."""
    parser.add_argument(
        "-p", "--probe", action="append", default=[], metavar="TASK",
        help="a task, a file *.probe.safetensors, or a folder *.probe of `cgdmer fit`; repeatable; default: those "
        "packaged with the encoder",
    )  # fmt: skip
    fit_arguments.add_to_score(parser)


def add_measure(commands: Any) -> None:
    measure = commands.add_parser(
        "measure", parents=[searched(), windows()],
        help="measure rate, intervals, axes, ST levels and voltages of recordings",
    )  # fmt: skip
    measure.add_argument(
        "--seconds", type=float, default=10.0, metavar="SECONDS", help="measure SECONDS, 2 to 60; default: 10"
    )
    measure.add_argument(
        "-o", "--output", metavar="FILE", default="measurements.csv",
        help=".csv, .parquet or .xlsx; default: %(default)s",
    )  # fmt: skip


def add_similar(commands: Any) -> None:
    similar = commands.add_parser(
        "similar", parents=[metadata()], help="find the recordings of a table of embeddings that resemble one"
    )
    similar.add_argument("query", metavar="QUERY", help="an id of the table, or the file of a recording")
    similar.add_argument(
        "-i", "--in", dest="table", metavar="TABLE", required=True,
        help="what `embed` wrote (.parquet, .csv, folder), or .npz",
    )  # fmt: skip
    similar.add_argument(
        "-k", "--count", type=int, default=10, metavar="COUNT", help="how many recordings; default: %(default)s"
    )
    similar.add_argument(
        "--feature", default="shared", metavar="NAME", help="representation to compare; default: %(default)s"
    )
    similar.add_argument(
        "-m", "--model", metavar="FOLDER", help="the encoder of the table, as in embed; needed for a file only"
    )
    similar.add_argument("-o", "--output", metavar="FILE", help="also write the result: .csv, .parquet or .xlsx")
