"""The commands that run in production: their arguments, and one call for each."""

import argparse
import math
import sys
from typing import Any

from cgdmer.commands import own_arguments
from cgdmer.errors import ConfigError

MIB = 1 << 20
CHAMPION = "models:/cgdmer-ecg-encoder@champion"


def add_commands(commands: Any) -> None:
    """Add the commands to the parser of the command line."""
    serve = commands.add_parser("serve", help="serve a registered encoder over HTTP, as `mlflow models serve` does")
    serve.add_argument("model", metavar="MODEL", nargs="?", default=CHAMPION, help="default: %(default)s")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on; default: %(default)s")
    serve.add_argument("--port", type=int, default=5001, help="default: %(default)s")
    serve.add_argument(
        "--max-mib", type=int, default=64, metavar="MIB", help="refuse larger requests; default: %(default)s MiB"
    )
    monitor = commands.add_parser(
        "monitor",
        parents=[own_arguments.array_form()],
        help="compare incoming recordings with the training data; exit with 7 if they differ",
    )
    monitor.add_argument("source", metavar="SOURCE", help="a folder, a zip or s3://BUCKET/PREFIX")
    monitor.add_argument(
        "-m",
        "--model",
        default="champion",
        help="alias or version in the registry, cgdmer-base or a folder; default: champion",
    )
    monitor.add_argument("--reference", metavar="FOLDER", help="compare with these recordings, not the training data")
    monitor.add_argument(
        "--hours",
        type=_hours,
        help="only files that changed in the last HOURS hours; not for s3://, whose new objects are read",
    )
    monitor.add_argument(
        "--records",
        type=int,
        default=500,
        metavar="COUNT",
        help="compare at most COUNT recordings; default: %(default)s",
    )
    monitor.add_argument("--name", default="incoming", help="name of the history and its page; default: %(default)s")


def _hours(text: str) -> float:
    """Return a number of hours; a usage error for one that is not above 0, or not finite."""
    try:
        hours = float(text)
    except ValueError:
        hours = math.nan
    if not 0 < hours < math.inf:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no finite number above 0")
    return hours


def run(options: argparse.Namespace) -> int:
    """Run a command and return its exit code."""
    return {"serve": _serve, "monitor": _monitor}[options.command](options)


def _serve(options: argparse.Namespace) -> int:
    if not 0 < options.port < 1 << 16 or options.max_mib < 1:
        raise ConfigError(
            f"--port {options.port} --max-mib {options.max_mib}",
            allowed="a port from 1 to 65535, and at least 1 MiB",
            fix="--port 5001 --max-mib 64",
        )
    from cgdmer.tracking import scoring

    scoring.serve(options.model, options.host, options.port, options.max_mib * MIB)
    return 0


def _monitor(options: argparse.Namespace) -> int:
    from cgdmer.operations import monitor
    from cgdmer.recordings.array_metadata import from_options

    request = monitor.Request(
        options.source, options.model, options.reference, from_options(options.fs, options.unit, options.leads),
        hours=options.hours, records=options.records, name=options.name,
    )  # fmt: skip
    outcome = monitor.check(request)
    sys.stdout.write(f"{outcome}\n")
    return outcome.code
