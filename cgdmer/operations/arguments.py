"""The commands that run in production: their arguments, and one call for each."""

import argparse
from typing import Any

from cgdmer.errors import ConfigError

MIB = 1 << 20
CHAMPION = "models:/cgdmer-ecg-encoder@champion"


def add_commands(commands: Any) -> None:
    """Add the commands to the parser of the command line."""
    serve = commands.add_parser("serve", help="serve a registered encoder over HTTP, as mlflow models serve does")
    serve.add_argument("model", metavar="MODEL", nargs="?", default=CHAMPION, help="default: %(default)s")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on; default: %(default)s")
    serve.add_argument("--port", type=int, default=5001, help="default: %(default)s")
    serve.add_argument(
        "--max-mib", type=int, default=64, metavar="MIB", help="refuse larger requests; default: %(default)s MiB"
    )


def run(options: argparse.Namespace) -> int:
    """Run a command and return its exit code."""
    return {"serve": _serve}[options.command](options)


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
