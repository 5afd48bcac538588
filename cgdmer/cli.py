"""Owns the command line: parse, then one call; no hyper-parameter is a flag, they live in `params.yaml`."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence

from cgdmer import __version__
from cgdmer.errors import CgdmerError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 only when all of what was asked was done."""
    options = parser().parse_args(arguments)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("cgdmer").setLevel(logging.WARNING if options.quiet else logging.INFO)
    try:
        code: int = COMMANDS[options.command](options)
        return code
    except CgdmerError as error:
        print(f"cgdmer: {error}", file=sys.stderr)
        return error.code
    except BrokenPipeError:
        return 141
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """Build the parser; nothing heavy is imported, so that --help is instant."""
    top = argparse.ArgumentParser(prog="cgdmer", description="Disentangled ECG and report encoders, end to end.")
    top.add_argument("--version", action="version", version=f"cgdmer {__version__}")
    top.add_argument("--quiet", action="store_true", help="warnings and errors only")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run one stage of the pipeline outside DVC")
    run.add_argument("stage", metavar="STAGE", help="acquire, index, shards, validate, pretrain, ...")
    run.add_argument("items", metavar="ITEM", nargs="*", help="the source, or encoder and source, of the stage")
    check = commands.add_parser("check", help="say what a corpus lacks, where to get it, or which records failed")
    check.add_argument("source", metavar="SOURCE")
    check.add_argument("--failed", metavar="EXPECTATION", help="list the records that failed this expectation")
    profile = commands.add_parser("profile", help="lay params/NAME.yaml over the demo settings in params.yaml")
    profile.add_argument("name", metavar="NAME", help="demo, or a file name in params/")
    commands.add_parser("table", help="print the headline table of reports/metrics.json")
    return top


def run(options: argparse.Namespace) -> int:
    from cgdmer import settings, stages

    stages.call(options.stage, options.items, settings.load())
    return 0


def check(options: argparse.Namespace) -> int:
    from cgdmer import settings
    from cgdmer.stages import checking

    complete, text = checking.describe(options.source, options.failed, settings.load())
    print(text)
    return 0 if complete else 3


def profile(options: argparse.Namespace) -> int:
    from cgdmer import profiles

    print(profiles.switch(options.name))
    return 0


def table(_: argparse.Namespace) -> int:
    from cgdmer import paths
    from cgdmer.evaluation.report import headline
    from cgdmer.files import read_json

    print(headline(read_json(paths.METRICS)))
    print(f"\nThe report: {paths.REPORT_HTML.resolve().as_uri()}")
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": run,
    "check": check,
    "profile": profile,
    "table": table,
}
