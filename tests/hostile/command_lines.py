"""Hostile command lines: options, files, settings, variables, results and names. Each must end with an error."""

from hostile import label_cases, measure_cases, operator_cases, page_cases, similar_cases, window_cases
from hostile.cases import Case
from hostile.file_cases import checkpoints, exports, models, prompts, settings
from hostile.option_cases import lists, options, outputs, paths
from hostile.project_cases import checks, profiles, tables, variables
from hostile.registry_cases import external, packages, registries

KINDS = (
    options, outputs, prompts, models, settings, lists, paths, checkpoints, exports,
    variables, profiles, tables, checks, registries, external, packages,
    label_cases.tables, label_cases.outputs, label_cases.probes, page_cases.reports, page_cases.views,
    measure_cases.options, measure_cases.outputs, measure_cases.paths,
    window_cases.options, window_cases.sheets, window_cases.long_files,
    similar_cases.tables, similar_cases.queries, similar_cases.options,
    operator_cases.monitors, operator_cases.servers, operator_cases.ledgers, operator_cases.pipelines,
    operator_cases.projects,
)  # fmt: skip


def all_cases() -> list[Case]:
    return [case for kind in KINDS for case in kind()]
