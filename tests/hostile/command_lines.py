"""Hostile command lines: options, prompts, probes, models, settings, lists and names. Each must end with an error."""

from hostile.cases import Case
from hostile.file_cases import checkpoints, exports, models, prompts, settings
from hostile.option_cases import lists, options, outputs, paths

KINDS = (options, outputs, prompts, models, settings, lists, paths, checkpoints, exports)


def all_cases() -> list[Case]:
    return [case for kind in KINDS for case in kind()]
