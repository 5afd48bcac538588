"""The commands for the user's own recordings: one call for each, which ends without leaving files behind."""

import argparse
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from cgdmer.commands import fit_arguments, own_arguments, page_arguments, plot_arguments
from cgdmer.errors import ConfigError

if TYPE_CHECKING:
    from cgdmer.commands.embed import Request


def add_commands(commands: Any) -> None:
    """Add the commands to the parser of the command line."""
    for add in (own_arguments.add_embed, own_arguments.add_score, own_arguments.add_measure, own_arguments.add_similar):
        add(commands)
    searched = own_arguments.searched()
    fit_arguments.add(commands, own_arguments.inputs())
    plot_arguments.add(commands, searched)
    page_arguments.add(commands)


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
        prompts, classes, tuple(options.probe), options.representation, tuple(options.recalibrate), options.percentiles
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


COMMANDS: dict[str, Callable[[argparse.Namespace], tuple[int, str]]] = {
    "embed": _embed,
    "score": _score,
    "fit": _fit,
    "measure": _measure,
    "similar": _similar,
    "plot": plot_arguments.run,
    "report": page_arguments.run_report,
}
