"""Which data about single patients may be written to reports/: by default only simulated ones. Logs hold none."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from cgdmer import paths
from cgdmer.errors import redacted
from cgdmer.files import read_json
from cgdmer.settings.base import Examples

CODES = ("unknown_codes", "codes_without_class")
"""Facts of the index stage that count cells of the tables and headers, which hold SNOMED CT codes."""
MAX_DIGITS = 18
"""Digits of the longest SNOMED CT code."""


def allowed(examples: Examples, sources: Sequence[str]) -> bool:
    """Return True if ids and report texts may be shown; `auto` allows it if every source is simulated."""
    if examples != "auto":
        return examples == "always"
    manifests = [paths.raw(source) / "manifest.json" for source in sources]
    return all(path.is_file() and read_json(path)["way"] == "simulate" for path in manifests)


def withhold(result: dict[str, Any]) -> dict[str, Any]:
    """Return a validation result without values and report texts, with ids replaced by `record 1`, `record 2`, ..."""
    numbers: dict[str, str] = {}

    def anonymise(names: list[str]) -> list[str]:
        return [numbers.setdefault(name, f"record {len(numbers) + 1}") for name in names]

    entries = [
        entry | {"examples": anonymise(entry["examples"]), "values": [""] * len(entry["values"])}
        for entry in result["expectations"]
    ]
    facts = result["facts"]
    if facts:
        facts = facts | {"reports": facts["reports"] | {"frequent": []}, "index": _without_ids(facts["index"])}
    quarantined: Counter[str] = Counter()
    for reason, count in result["quarantined"].items():
        quarantined[redacted(reason)] += count
    return result | {
        "expectations": entries,
        "quarantined": dict(sorted(quarantined.items())),
        "facts": facts,
        "duplicates": [anonymise(group) for group in result["duplicates"]],
    }


def _without_ids(facts: Any) -> Any:
    """Remove the ids that stage index lists as examples, under the key `first`, and codes that are no numbers."""
    if isinstance(facts, dict):
        return {
            key: _numbers(value) if key in CODES and isinstance(value, dict) else _without_ids(value)
            for key, value in facts.items()
            if key != "first"
        }
    return facts


def _numbers(codes: dict[str, int]) -> dict[str, int]:
    """Return the counts of codes, with those that are no numbers, and so may be any text, under one key."""
    kept = {code: count for code, count in codes.items() if code.isdigit() and len(code) <= MAX_DIGITS}
    others = sum(count for code, count in codes.items() if code not in kept)
    return kept | ({"not a number": others} if others else {})
