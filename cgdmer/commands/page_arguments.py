"""The arguments of `cgdmer report` and `cgdmer view`, and one call for each."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cgdmer.errors import ConfigError

if TYPE_CHECKING:
    from cgdmer.commands.examination import Inputs


def add(commands: Any, searched: argparse.ArgumentParser) -> None:
    """Add both commands; `searched` has the arguments of every command that searches for recordings."""
    scored = argparse.ArgumentParser(add_help=False)
    scored.add_argument("-m", "--model", metavar="FOLDER", help="the encoder, as in embed")
    scored.add_argument(
        "-p",
        "--probe",
        action="append",
        default=[],
        metavar="TASK",
        help="a task, a file *.probe.safetensors, or a folder *.probe of `cgdmer fit`; repeatable; default: those "
        "packaged with the encoder",
    )
    report = commands.add_parser(
        "report", parents=[searched, scored], help="write a page per recording and an index, to read offline or print"
    )
    report.add_argument("-o", "--output", metavar="FOLDER", default="pages", help="default: %(default)s")
    view = commands.add_parser(
        "view", parents=[searched, scored], help="look at recordings in a browser on this machine, and drop files there"
    )
    view.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; default: any free one")


def run_report(options: argparse.Namespace) -> tuple[int, str]:
    """Write the pages and return the exit code and what to print."""
    from cgdmer.commands.report import ReportRequest, report

    if not options.output.strip():
        raise ConfigError("--output is empty", allowed="the name of a folder", fix="--output pages")
    outcome = report(
        ReportRequest(_inputs(options), Path(options.output), options.model, tuple(options.probe), options.overwrite)
    )
    return outcome.code, str(outcome)


def run_view(options: argparse.Namespace, announce: Callable[[str], None]) -> int:
    """Show the recordings until Ctrl-C; `announce` receives the address."""
    from cgdmer.commands.view import view

    return view(_inputs(options), options.model, tuple(options.probe), options.port, announce)


def _inputs(options: argparse.Namespace) -> "Inputs":
    from cgdmer.commands.examination import Inputs
    from cgdmer.recordings.array_metadata import from_options

    return Inputs(options.paths, from_options(options.fs, options.unit, options.leads), options.start)
