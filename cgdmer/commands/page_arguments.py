"""The arguments of `cgdmer report` and `cgdmer view`, and one call for each."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cgdmer.commands import own_arguments
from cgdmer.errors import ConfigError

if TYPE_CHECKING:
    from cgdmer.commands.examination import Inputs
    from cgdmer.commands.scorer import ScoreOptions


def add(commands: Any) -> None:
    """Add both commands."""
    report = commands.add_parser(
        "report",
        parents=[own_arguments.searched(), _scored()],
        help="write a page per recording and an index, to read offline or print",
    )
    report.add_argument("-o", "--output", metavar="FOLDER", default="pages", help="default: %(default)s")
    view = commands.add_parser(
        "view",
        parents=[own_arguments.searched(writes=False), _scored()],
        help="look at recordings in a browser on this machine, and drop files there",
    )
    view.add_argument("--port", type=int, default=0, metavar="PORT", help="port on 127.0.0.1; default: any free one")


def _scored() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("-m", "--model", metavar="FOLDER", help="the encoder, as in embed")
    own_arguments.add_probes(parser)
    return parser


def run_report(options: argparse.Namespace) -> tuple[int, str]:
    """Write the pages and return the exit code and what to print."""
    from cgdmer.commands.report import ReportRequest, report

    if not options.output.strip():
        raise ConfigError("--output is empty", allowed="the name of a folder", fix="--output pages")
    outcome = report(
        ReportRequest(_inputs(options), Path(options.output), options.model, _scoring(options), options.overwrite)
    )
    return outcome.code, str(outcome)


def run_view(options: argparse.Namespace, announce: Callable[[str], None]) -> int:
    """Show the recordings until Ctrl-C; `announce` receives the address."""
    from cgdmer.commands.view import view

    return view(_inputs(options), options.model, _scoring(options), options.port, announce)


def _scoring(options: argparse.Namespace) -> "ScoreOptions":
    from cgdmer.commands.scorer import ScoreOptions

    return ScoreOptions(probes=tuple(options.probe), recalibrate=tuple(options.recalibrate))


def _inputs(options: argparse.Namespace) -> "Inputs":
    from cgdmer.commands.examination import Inputs
    from cgdmer.recordings.array_metadata import from_options

    return Inputs(options.paths, from_options(options.fs, options.unit, options.leads), options.start)
