"""Adds a stage of an experiment to DVC's run cache, so that other experiments restore its result instead of running it.

DVC does so itself only for stages whose outputs are all in its cache. Pretraining keeps its curve in git, so without
this every change of a probe would pretrain every method of the ablation study again.
"""

from pathlib import Path
from typing import Any

import yaml

from cgdmer.files import write_text


def remember(stage: str, revision: str, folder: Path) -> bool:
    """Add a stage as an experiment's dvc.lock has it; `folder` holds those of its outputs that git keeps.

    Return False if the experiment has no such stage or an output is not the one in its dvc.lock.
    """
    from dvc.api import DVCFileSystem  # type: ignore[import-untyped]
    from dvc.repo import Repo  # type: ignore[import-untyped]

    entry = yaml.safe_load(DVCFileSystem(rev=revision).read_text("dvc.lock"))["stages"].get(stage)
    if entry is None:
        return False
    with Repo() as repo:
        if not all(_in_cache(repo, out, folder) for out in entry["outs"]):
            return False
        write_text(_entry_path(repo, entry), yaml.safe_dump(entry, sort_keys=False))
    return True


def _in_cache(repo: Any, out: dict[str, Any], folder: Path) -> bool:
    """Make sure that an output is in DVC's cache: copy it there from `folder` if it is not."""
    from dvc_data.hashfile.build import build
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.transfer import transfer

    cache = repo.cache.local
    if cache.exists(out["md5"]):
        return True
    path = folder / out["path"]
    if not path.exists():
        return False
    staging, _, built = build(cache, str(path.resolve()), repo.fs, "md5")
    if built.hash_info != HashInfo("md5", out["md5"]):
        return False
    transfer(staging, cache, {built.hash_info}, shallow=False)
    return True


def _entry_path(repo: Any, entry: dict[str, Any]) -> Path:
    """Return the file of an entry: named by its outputs, in a folder named by its command and inputs."""
    from dvc.stage import cache  # type: ignore[import-untyped]

    inputs = entry | {"outs": [{"path": out["path"]} for out in entry["outs"]]}
    key, value = cache._get_cache_hash(dict(inputs), key=True), cache._get_cache_hash(dict(entry))
    return Path(repo.stage_cache._get_cache_path(key, value))
