"""The commands for the results of the pipeline: publish, promote, rollback, reproduce, costs; their arguments."""

import argparse
from pathlib import Path
from typing import Any

DEFAULT = "models:/cgdmer-ecg-encoder@champion"


def add_commands(commands: Any) -> None:
    """Add the commands to the parser of the command line."""
    publish = commands.add_parser("publish", help="log the results to MLflow and register the encoders as candidates")
    publish.add_argument(
        "--shipped", action="store_true", help="register the encoder that this package ships, not this project's"
    )
    commands.add_parser("promote", help="make the candidate champion if it passes the gate; exit with 1 if not")
    commands.add_parser("rollback", help="make the previous champion champion again")
    costs = commands.add_parser("costs", help="show what each stage took: time, memory, bytes, GPU time")
    detail = costs.add_mutually_exclusive_group()
    detail.add_argument("--calls", action="store_true", help="a row for each stage call, not for each stage")
    detail.add_argument(
        "--every", action="store_true", help="every call on this machine, also of earlier settings and unfinished ones"
    )
    again = commands.add_parser(
        "reproduce", help="run a registered version again in a fresh clone and compare; exit with 1 if it differs"
    )
    again.add_argument(
        "model", metavar="MODEL", nargs="?", default=DEFAULT,
        help="models:/NAME@ALIAS or models:/NAME/VERSION; default: %(default)s",
    )  # fmt: skip
    again.add_argument("-o", "--output", required=True, metavar="FOLDER", help="a new folder for the clone")
    again.add_argument(
        "--repository", metavar="ADDRESS", help="where git finds the commit; default: the project in this folder"
    )


def run(options: argparse.Namespace) -> tuple[int, str]:
    """Run a command; return the exit code and what it prints."""
    if options.command == "costs":
        return 0, _costs(options)
    if options.command == "reproduce":
        return _reproduce(options)
    from cgdmer import publishing

    if options.command == "publish":
        return 0, _publish_shipped() if options.shipped else _publish()
    if options.command == "promote":
        decision = publishing.decide()
        return (0 if decision.passed else 1), decision.text
    return 0, publishing.rollback()


def _publish() -> str:
    from cgdmer import publishing, settings
    from cgdmer.commands import costs

    chosen = settings.load()
    published = publishing.publish(chosen, costs.of_results(chosen))
    lines = [f"candidate: {name} version {version}, of run {published.run}"
             for name, version in published.versions.items()]  # fmt: skip
    return "\n".join(lines)


def _publish_shipped() -> str:
    from cgdmer.publishing import shipped

    run, versions = shipped.publish_shipped()
    return "\n".join(f"shipped: {name} version {version}, of run {run}" for name, version in versions.items())


def _reproduce(options: argparse.Namespace) -> tuple[int, str]:
    from cgdmer.commands import reproduce

    outcome = reproduce.reproduce(options.model, Path(options.output), options.repository)
    return (0 if outcome.good else 1), outcome.text


def _costs(options: argparse.Namespace) -> str:
    from cgdmer import settings
    from cgdmer.commands import costs

    return costs.describe(settings.load(), calls=options.calls, every=options.every)
