"""The arguments of `cgdmer plot`, and one call: a sheet for one file, or a folder of sheets."""

import argparse
import os
from pathlib import Path
from typing import Any

from cgdmer.errors import ConfigError


def add(commands: Any, searched: argparse.ArgumentParser) -> None:
    """Add the command; `searched` has the arguments of every command that searches for recordings."""
    plot = commands.add_parser("plot", parents=[searched], help="draw recordings on ECG paper")
    plot.add_argument("--seconds", type=float, default=10.0, metavar="SECONDS", help="draw SECONDS, up to 60; "
                      "default: 10")  # fmt: skip
    plot.add_argument(
        "-o", "--output", metavar="NAME",
        help="for one file: .svg or .png, default: its name with .svg; for several files, folders, zips or lists: a "
        "folder, default: sheets",
    )  # fmt: skip
    plot.add_argument(
        "--format", choices=("svg", "png"), default="svg", help="of the sheets in a folder; default: %(default)s"
    )


def run(options: argparse.Namespace) -> tuple[int, str]:
    """Draw, and return the exit code and what is printed."""
    from cgdmer.commands.plot import Drawing, plot
    from cgdmer.recordings.array_metadata import from_options

    if options.output is not None and not options.output.strip():
        raise ConfigError("--output is empty", allowed="the name of a file or folder", fix="--output sheet.svg")
    metadata = from_options(options.fs, options.unit, options.leads)
    output = None if options.output is None else Path(options.output)
    if is_one(options.paths, output):
        drawing = Drawing(output, options.start, options.seconds, options.overwrite)
        return 0, str(plot(options.paths[0], drawing, metadata))
    from cgdmer.commands.plot_folder import FolderRequest, plot_all

    folder = Path("sheets") if output is None else output
    outcome = plot_all(
        FolderRequest(
            options.paths, folder, metadata, options.format, options.start, options.seconds, options.overwrite
        )
    )
    return outcome.code, str(outcome)


def is_one(paths: list[str], output: Path | None) -> bool:
    """Return True if one file is to be drawn into one file."""
    several = len(paths) > 1 or paths[0] == "-" or os.path.isdir(paths[0]) or paths[0].lower().endswith(".zip")
    return not several and not (output is not None and (output.suffix == "" or output.is_dir()))
