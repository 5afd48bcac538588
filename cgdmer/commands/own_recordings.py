"""The commands for the user's own recordings: their arguments, and one call for each."""

import argparse
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from cgdmer.commands import fit_arguments
from cgdmer.errors import ConfigError

if TYPE_CHECKING:
    from cgdmer.commands.embed import Request


def add_commands(commands: Any) -> None:
    """Add the commands to the parser of the command line."""
    metadata = argparse.ArgumentParser(add_help=False)
    metadata.add_argument("--fs", type=float, metavar="HZ", help="sampling rate of .npy and .csv files")
    metadata.add_argument("--unit", help="unit of .npy and .csv files: mV, V or uV")
    metadata.add_argument(
        "--leads", metavar="I,II,V1", help="lead names of .npy files and of .csv files without a header row, in order"
    )
    metadata.add_argument(
        "--start", type=float, default=0.0, metavar="SECONDS", help="begin at this second of each recording"
    )
    metadata.add_argument(
        "--overwrite", action="store_true", help="also replace a file that this program did not write; never an input"
    )
    searched = argparse.ArgumentParser(add_help=False, parents=[metadata])
    searched.add_argument(
        "paths", metavar="PATH", nargs="+", help="recordings, folders, zips, or - to read a list of paths from stdin"
    )
    inputs = argparse.ArgumentParser(add_help=False, parents=[searched])
    inputs.add_argument(
        "--model",
        metavar="FOLDER",
        help="folder of the encoder, cgdmer-base (shipped with this package), models:/NAME@ALIAS or hf:OWNER/NAME; "
        "default: data/models/pretrain if there is one below the working directory, else cgdmer-base",
    )
    inputs.add_argument("--seconds", type=float, help="use SECONDS of each recording; default: the encoder's length")
    windows = argparse.ArgumentParser(add_help=False)
    windows.add_argument(
        "--every", type=float, metavar="SECONDS",
        help="for long recordings: use a window each SECONDS, and write their mean (of measurements the median)",
    )  # fmt: skip
    windows.add_argument("--windows", action="store_true", help="with --every: write a row per window instead")
    embed = commands.add_parser("embed", parents=[inputs, windows], help="compute the features of recordings")
    embed.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default="embeddings.parquet",
        help=".parquet, .csv, or a folder for .npy arrays; default: %(default)s",
    )
    score = commands.add_parser(
        "score", parents=[inputs, windows], help="score recordings with prompts and fitted probes"
    )
    score.add_argument(
        "-o", "--output", metavar="FILE", default="scores.parquet", help=".parquet or .csv; default: %(default)s"
    )
    score.add_argument(
        "--prompts", metavar="JSON", help='a file {"prompts": {"CLASS": "text"}}; default: the prompts of the package'
    )
    score.add_argument(
        "--classes", metavar="AFIB,NORM",
        help="use only the prompts of these classes; with packaged probes, cosines are written only for named prompts",
    )  # fmt: skip
    score.add_argument(
        "--probe",
        action="append",
        default=[],
        metavar="TASK",
        help="a task, a file *.probe.safetensors, or a folder *.probe of `cgdmer fit`; repeatable; default: those "
        "packaged with the encoder",
    )
    score.add_argument("--representation", help="input of the probes of tasks: pooled (default), shared or specific")
    fit_arguments.add_to_score(score)
    fit_arguments.add(commands, inputs)
    _add_measure(commands, searched, windows)
    _add_similar(commands, metadata)
    _add_plot(commands, metadata)


def _add_measure(commands: Any, searched: argparse.ArgumentParser, windows: argparse.ArgumentParser) -> None:
    measure = commands.add_parser(
        "measure",
        parents=[searched, windows],
        help="measure rate, intervals, axes, ST levels and voltages of recordings",
    )
    measure.add_argument("--seconds", type=float, default=10.0, help="measure SECONDS, 2 to 60; default: 10")
    measure.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default="measurements.csv",
        help=".csv, .parquet or .xlsx; default: %(default)s",
    )


def _add_similar(commands: Any, metadata: argparse.ArgumentParser) -> None:
    similar = commands.add_parser(
        "similar", parents=[metadata], help="find the recordings of a table of embeddings that resemble one"
    )
    similar.add_argument("query", metavar="QUERY", help="an id of the table, or the file of a recording")
    similar.add_argument(
        "--in",
        dest="table",
        metavar="TABLE",
        required=True,
        help="what `embed` wrote (.parquet, .csv, folder), or .npz",
    )
    similar.add_argument("-k", "--count", type=int, default=10, help="how many recordings; default: %(default)s")
    similar.add_argument("--feature", default="shared", help="representation to compare; default: %(default)s")
    similar.add_argument(
        "--model", metavar="FOLDER", help="the encoder of the table, as in embed; needed for a file only"
    )
    similar.add_argument("-o", "--output", metavar="FILE", help="also write the result: .csv, .parquet or .xlsx")


def _add_plot(commands: Any, metadata: argparse.ArgumentParser) -> None:
    plot = commands.add_parser("plot", parents=[metadata], help="draw a recording on ECG paper")
    plot.add_argument("path", metavar="FILE", help="one recording")
    plot.add_argument("--seconds", type=float, default=10.0, help="draw SECONDS, up to 60; default: 10")
    plot.add_argument(
        "-o", "--output", metavar="FILE", help=".svg or .png; default: the name of the recording with .svg"
    )


def run(options: argparse.Namespace) -> tuple[int, str]:
    """Run a command and return its exit code and what it prints."""
    with ending_cleanly():
        return COMMANDS[options.command](options)


@contextmanager
def ending_cleanly() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as an exception, so that its temporary files are removed."""
    signals = (signal.SIGTERM, signal.SIGHUP)
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    previous = [signal.signal(each, end) for each in signals]
    try:
        yield
    finally:
        for each, handler in zip(signals, previous, strict=True):
            signal.signal(each, handler)


def _embed(options: argparse.Namespace) -> tuple[int, str]:
    from cgdmer.commands.embed import embed

    outcome = embed(_request(options), options.model)
    return outcome.code, str(outcome)


def _score(options: argparse.Namespace) -> tuple[int, str]:
    from cgdmer.commands.score import score
    from cgdmer.commands.scorer import ScoreOptions

    classes = None if options.classes is None else tuple(options.classes.split(","))
    prompts = None if options.prompts is None else Path(options.prompts)
    score_options = ScoreOptions(
        prompts, classes, tuple(options.probe), options.representation, tuple(options.recalibrate)
    )
    outcome = score(_request(options), options.model, score_options)
    return outcome.code, "\n".join(filter(None, [outcome.findings, str(outcome)]))


def _measure(options: argparse.Namespace) -> tuple[int, str]:
    from cgdmer.commands.measure import measure_all

    outcome = measure_all(_request(options))
    return outcome.code, str(outcome)


def _similar(options: argparse.Namespace) -> tuple[int, str]:
    from cgdmer.commands.similar import Search, similar
    from cgdmer.recordings.array_metadata import from_options

    metadata = from_options(options.fs, options.unit, options.leads)
    output = None if options.output is None else _output_path(options.output)
    search = Search(
        options.query, Path(options.table), options.feature, options.count, options.start, output, options.overwrite
    )
    return 0, str(similar(search, options.model, metadata))


def _fit(options: argparse.Namespace) -> tuple[int, str]:
    return fit_arguments.run(options, _request(options))


def _request(options: argparse.Namespace) -> "Request":
    from cgdmer.commands.embed import Request
    from cgdmer.commands.window_rows import WindowChoice
    from cgdmer.recordings.array_metadata import from_options

    metadata = from_options(options.fs, options.unit, options.leads)
    windows = WindowChoice(getattr(options, "every", None), getattr(options, "windows", False))  # `fit` has neither
    output = _output_path(options.output)
    return Request(options.paths, output, metadata, options.seconds, options.start, options.overwrite, windows)


def _output_path(name: str) -> Path:
    """Return the path of an output; ConfigError for an empty name, which would mean the working directory."""
    if not name.strip():
        raise ConfigError("--output is empty", allowed="the name of a file", fix="--output result.parquet")
    return Path(name)


def _plot(options: argparse.Namespace) -> tuple[int, str]:
    from cgdmer.commands.plot import Drawing, plot
    from cgdmer.recordings.array_metadata import from_options

    metadata = from_options(options.fs, options.unit, options.leads)
    output = None if options.output is None else _output_path(options.output)
    drawing = Drawing(output, options.start, options.seconds, options.overwrite)
    return 0, str(plot(options.path, drawing, metadata))


COMMANDS: dict[str, Callable[[argparse.Namespace], tuple[int, str]]] = {
    "embed": _embed,
    "score": _score,
    "fit": _fit,
    "measure": _measure,
    "similar": _similar,
    "plot": _plot,
}
