"""The help page of the command line, which groups the commands by who uses them."""

import argparse
from typing import Any

GROUPS = {
    "for your own recordings": (
        "embed", "score", "fit", "measure", "similar", "plot", "view", "report",
    ),
    "for the pipeline and its results": (
        "pipeline", "run", "check", "profile", "table", "external-validation", "cross-validation", "attentive-probe",
    ),
    "for operators": (
        "doctor", "publish", "promote", "rollback", "serve", "monitor", "costs", "reproduce",
    ),
    "for developers": (
        "convert", "export", "package", "train-encoder", "replay", "completion",
    ),
}  # fmt: skip
"""Titles, and the commands below each in the order of the page."""
OTHER = "others"
QUIET_HELP = "warnings and errors only, and no progress"


class Commands:
    """Takes the place of argparse's subparsers: keeps the help of each command and gives all the option --quiet."""

    def __init__(self, subparsers: Any) -> None:
        self._subparsers = subparsers
        self.help: dict[str, str] = {}
        self.parsers: dict[str, argparse.ArgumentParser] = {}
        """By name, aliases left out."""

    def add_parser(self, name: str, *, help: str, **options: Any) -> argparse.ArgumentParser:
        """Add a command; `help` is also its description."""
        parser: argparse.ArgumentParser = self._subparsers.add_parser(name, help=help, description=help, **options)
        parser.add_argument("-q", "--quiet", action="store_true", default=argparse.SUPPRESS, help=QUIET_HELP)
        self.help[name], self.parsers[name] = help, parser
        return parser


class TopParser(argparse.ArgumentParser):
    """A parser whose help page lists its commands in groups."""

    commands: Commands

    def format_help(self) -> str:
        """Return usage, description, a section for each group, and the options."""
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        for title, names in grouped(self.commands.help).items():
            formatter.start_section(title)
            for name in names:
                formatter.add_argument(argparse.Action([], name, metavar=name, help=self.commands.help[name]))
            formatter.end_section()
        formatter.start_section("options")
        formatter.add_arguments([action for action in self._actions if action.option_strings])
        formatter.end_section()
        formatter.add_text("cgdmer COMMAND --help explains a command")
        return formatter.format_help()


def grouped(commands: dict[str, str]) -> dict[str, list[str]]:
    """Return the groups with the commands that exist; those of no group come last."""
    groups = {title: [name for name in names if name in commands] for title, names in GROUPS.items()}
    listed = {name for names in groups.values() for name in names}
    return groups | ({OTHER: rest} if (rest := [name for name in commands if name not in listed]) else {})
