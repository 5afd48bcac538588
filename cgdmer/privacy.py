"""Owns what of single people reaches reports/: by default nothing but simulated ones; logs never name any."""

from collections.abc import Sequence
from typing import Any

from cgdmer import paths
from cgdmer.files import read_json
from cgdmer.settings.base import Examples


def allowed(examples: Examples, sources: Sequence[str]) -> bool:
    """Tell whether ids and report texts may be shown; `auto` means: where every source is simulated."""
    if examples != "auto":
        return examples == "always"
    manifests = [paths.raw(source) / "manifest.json" for source in sources]
    return all(path.is_file() and read_json(path)["way"] == "simulate" for path in manifests)


def withhold(result: dict[str, Any]) -> dict[str, Any]:
    """Return a validation result without values and report texts, ids replaced by `record 1`, `record 2` and so on."""
    numbers: dict[str, str] = {}

    def numbered(names: list[str]) -> list[str]:
        return [numbers.setdefault(name, f"record {len(numbers) + 1}") for name in names]

    entries = [
        entry | {"examples": numbered(entry["examples"]), "values": [""] * len(entry["values"])}
        for entry in result["expectations"]
    ]
    facts = result["facts"]
    if facts:
        facts = facts | {"reports": facts["reports"] | {"frequent": []}, "index": _without_ids(facts["index"])}
    return result | {
        "expectations": entries,
        "facts": facts,
        "duplicates": [numbered(group) for group in result["duplicates"]],
    }


def _without_ids(told: Any) -> Any:
    """Leave out the ids that the index stage gives as `first` examples."""
    if isinstance(told, dict):
        return {key: _without_ids(value) for key, value in told.items() if key != "first"}
    return told
