"""Read a checkpoint that holds more than tensors in a process without network, in which nothing of its code runs.

Two barriers stand behind each other. Every class and function that the file names, other than those of tensors and
plain containers, becomes a stand-in without effect (`stand_ins.py`). And the process that does this confines itself
first (`confinement.py`), so that a fault in the first barrier can harm nothing either.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path

from cgdmer.errors import ConfigError, DataError

FIX = "ask its authors for safetensors"

ROOT = Path(__file__).resolve().parents[2]
RESULT = "tensors.pt"
SECONDS = 900
"""The longest that the process may run."""
SPARE_MEMORY = 16 << 30
"""Bytes of address space beyond four times the file: what the libraries map."""
CONFINED, REFUSED = 0, 70
"""Exit codes: done, and the machine cannot confine the process."""


def extract(path: Path, folder: Path) -> Path:
    """Write the tensors of a checkpoint to a file in `folder` and return it.

    ConfigError if this machine cannot confine a process; DataError if the file cannot be read in one.
    """
    command = [
        sys.executable,
        "-s",
        "-P",
        "-m",
        "cgdmer.conversion.isolated",
        str(path.resolve()),
        str(folder.resolve()),
    ]
    environment = {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, env=environment, cwd=folder, timeout=SECONDS,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise DataError(f"{path} was not read within {SECONDS} s in the isolated process", fix=FIX) from error
    said = printable(done.stderr.decode("utf-8", "replace"), line=-1)
    if done.returncode == REFUSED:
        raise ConfigError(
            f"this machine cannot isolate a process: {said}",
            allowed="Linux 6.2 or newer on x86-64, with Landlock and seccomp",
            fix="convert the file on such a machine, or ask its authors for safetensors",
        )
    result = folder / RESULT
    if done.returncode != CONFINED or result.is_symlink() or not result.is_file():
        raise DataError(f"{path} could not be read in the isolated process: {said or done.returncode}", fix=FIX)
    return result


def printable(text: str, line: int = 0) -> str:
    """Return one line of a text that is not to be trusted, cut and without control characters."""
    lines = text.strip().splitlines()
    return "".join(letter if letter.isprintable() else "?" for letter in lines[line])[:300] if lines else ""


def limit(size: int) -> None:
    """Bound memory, output, processor time and core files of this process for a file of `size` bytes."""
    for name, most in (
        (resource.RLIMIT_AS, 4 * size + SPARE_MEMORY),
        (resource.RLIMIT_FSIZE, 2 * size + (64 << 20)),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(name, (most, most))


def main(path: Path, folder: Path) -> int:
    """Confine this process, then read the file; return the exit code."""
    import torch

    from cgdmer.conversion import confinement, stand_ins
    from cgdmer.conversion.tree import tensors_of

    torch.set_num_threads(1)
    limit(path.stat().st_size)
    try:
        confinement.confine(folder, [path, ROOT / "cgdmer", Path(sys.prefix), Path(sys.base_prefix)])
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED
    torch.save(tensors_of(stand_ins.load(path)), folder / RESULT)
    return CONFINED


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
