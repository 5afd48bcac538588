"""Owns the command line: parse, then one call; no hyper-parameter is a flag, they live in `params.yaml`."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cgdmer.errors import CgdmerError
from cgdmer.version import __version__

if TYPE_CHECKING:
    from cgdmer.commands.embed import Request


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
    own_recordings(commands)
    commands.add_parser("doctor", help="check this machine, and say which command mends what")
    commands.add_parser("publish", help="record these results in MLflow and register the encoders as candidates")
    commands.add_parser(
        "promote", help="let the gate decide whether the candidate becomes champion; 1 where it does not"
    )
    commands.add_parser("rollback", help="make the former champion champion again")
    commands.add_parser("folds", help="cross-validate on a local PTB-XL, pretraining anew for every fold")
    replay = commands.add_parser("replay", help="do a step of pretraining again that was not finite")
    replay.add_argument("folder", metavar="FOLDER", help="the dump that the error named")
    commands.add_parser("table", help="print the headline table of reports/metrics.json")
    return top


def own_recordings(commands: Any) -> None:
    """Add the commands that take files of one's own."""
    given = argparse.ArgumentParser(add_help=False)
    given.add_argument("--fs", type=float, metavar="HZ", help="of .npy and .csv: sampling rate")
    given.add_argument("--unit", help="of .npy and .csv: mV, V or uV")
    given.add_argument("--leads", metavar="I,II,V1", help="of .npy and .csv without a header row: names in order")
    many = argparse.ArgumentParser(add_help=False, parents=[given])
    many.add_argument("paths", metavar="PATH", nargs="+", help="recordings, folders, zips, or - for a list on stdin")
    many.add_argument("--model", default="data/models/pretrain", metavar="FOLDER", help="or models:/NAME@ALIAS")
    many.add_argument(
        "--seconds", type=float, help="use the first so many seconds; the encoder's length where left out"
    )
    embed = commands.add_parser("embed", parents=[many], help="turn recordings into features")
    embed.add_argument("-o", dest="output", default="embeddings.parquet", help=".parquet, .csv, or a folder for .npy")
    score = commands.add_parser("score", parents=[many], help="score recordings by prompts and by saved probes")
    score.add_argument("-o", dest="output", default="scores.parquet", help=".parquet or .csv")
    score.add_argument("--prompts", metavar="JSON", help='{"prompts": {"CLASS": "text"}}; the shipped ones if left out')
    score.add_argument("--classes", metavar="AFIB,NORM", help="only these prompts")
    score.add_argument("--probe", action="append", default=[], metavar="TASK", help="a task or *.probe.safetensors")
    score.add_argument("--representation", default="pooled", help="that the probe reads: pooled, shared or specific")
    plot = commands.add_parser("plot", parents=[given], help="draw a recording on ECG paper")
    plot.add_argument("path", metavar="FILE")
    plot.add_argument("-o", dest="output", help=".svg or .png; the recording's name with .svg if left out")


def run(options: argparse.Namespace) -> int:
    from cgdmer import settings, stages

    stages.call(options.stage, options.items, settings.load())
    return 0


def check(options: argparse.Namespace) -> int:
    from cgdmer import settings
    from cgdmer.commands import check

    complete, text = check.describe(options.source, options.failed, settings.load())
    print(text)
    return 0 if complete else 3


def profile(options: argparse.Namespace) -> int:
    from cgdmer.settings import profiles

    print(profiles.switch(options.name))
    return 0


def embed(options: argparse.Namespace) -> int:
    from cgdmer.commands.embed import embed

    outcome = embed(request(options), options.model)
    print(outcome)
    return outcome.code


def score(options: argparse.Namespace) -> int:
    from pathlib import Path

    from cgdmer.commands.score import Wanted, score

    classes = tuple(options.classes.split(",")) if options.classes else None
    prompts = {"prompts": Path(options.prompts)} if options.prompts else {}
    wanted = Wanted(**prompts, classes=classes, probes=tuple(options.probe), representation=options.representation)
    outcome = score(request(options), options.model, wanted)
    print(outcome)
    return outcome.code


def request(options: argparse.Namespace) -> "Request":
    from pathlib import Path

    from cgdmer.commands.embed import Request
    from cgdmer.recordings.stated import from_command_line

    stated = from_command_line(options.fs, options.unit, options.leads)
    return Request(options.paths, Path(options.output), stated, options.seconds)


def plot(options: argparse.Namespace) -> int:
    from pathlib import Path

    from cgdmer.commands.plot import plot
    from cgdmer.recordings.stated import from_command_line

    stated = from_command_line(options.fs, options.unit, options.leads)
    print(plot(options.path, Path(options.output) if options.output else None, stated))
    return 0


def doctor(_: argparse.Namespace) -> int:
    from cgdmer.commands.doctor import examine

    sound, text = examine()
    print(text)
    return 0 if sound else 1


def publish(_: argparse.Namespace) -> int:
    from cgdmer import publishing, settings

    published = publishing.publish(settings.load())
    for name, version in published.versions.items():
        print(f"candidate: {name} version {version}, of run {published.run}")
    return 0


def promote(_: argparse.Namespace) -> int:
    from cgdmer import publishing, settings

    decision = publishing.decide(settings.load())
    print(decision.text)
    return 0 if decision.passed else 1


def rollback(_: argparse.Namespace) -> int:
    from cgdmer import publishing

    print(publishing.rollback())
    return 0


def folds(_: argparse.Namespace) -> int:
    from cgdmer.commands.cross_validation import folds
    from cgdmer.evaluation.cross_validation import markdown

    print(markdown(folds()), end="")
    return 0


def replay(options: argparse.Namespace) -> int:
    from pathlib import Path

    from cgdmer import settings
    from cgdmer.commands import replay

    print(replay.describe(Path(options.folder), settings.load()))
    return 0


def table(_: argparse.Namespace) -> int:
    from cgdmer import paths
    from cgdmer.files import read_json
    from cgdmer.report import headline

    print(headline(read_json(paths.METRICS)))
    print(f"\nThe report: {paths.REPORT_HTML.resolve().as_uri()}")
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": run,
    "check": check,
    "profile": profile,
    "embed": embed,
    "score": score,
    "plot": plot,
    "doctor": doctor,
    "publish": publish,
    "promote": promote,
    "rollback": rollback,
    "folds": folds,
    "replay": replay,
    "table": table,
}
