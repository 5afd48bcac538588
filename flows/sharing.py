"""Owns `python -m flows.sharing REMOTE STAGE`: leave a stage's result on a DVC remote, outputs that git keeps included.

`dvc commit` enters a stage in the run cache also where some outputs are kept in git, which `dvc repro` does not; and
`dvc push --run-cache` sends the entry without those outputs. So they are sent here.
"""

import sys
from typing import Any

from dvc.repo import Repo  # type: ignore[import-untyped]


def share(remote: str, stage: str) -> None:
    """Push a stage's entry in the run cache, its outputs, and those kept in git."""
    repo = Repo(_wait_for_lock=True)
    repo.commit(stage, force=True)
    repo.push(stage, remote=remote, run_cache=True)
    with repo.lock:
        kept = [out for out in repo.stage.load_one("dvc.yaml", stage).outs if not out.use_cache]
        files = {item for out in kept for item in contents(out)}
        folders = {out.hash_info for out in kept} - files
        for objects in (files, folders):  # a folder is listed once all that is in it is there
            if objects:
                repo.cloud.push(objects, remote=remote)


def contents(out: Any) -> list[Any]:
    """Return the hashes of the files in an output, or its own where it is a file."""
    found = out.get_obj()
    return [item for _, _, item in found] if out.hash_info.isdir else [out.hash_info]


if __name__ == "__main__":
    share(*sys.argv[1:])
