"""A project folder that was moved or copied: its `mlflow.db` still names the folder of artifacts of the old place.

MLflow stores absolute addresses, so a copy would write into the artifacts of the original. `require_at_home` refuses
that, and `python -m cgdmer.tracking.relocation` makes the store of the working directory name its own `mlartifacts/`.
"""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

from cgdmer.errors import CgdmerError, ConfigError, DataError

DATABASE, ARTIFACTS = Path("mlflow.db"), Path("mlartifacts")
ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Table and column of every address of artifacts in MLflow's database."""
COMMAND = "make stop; python -m cgdmer.tracking.relocation"


def require_at_home() -> None:
    """Raise ConfigError if the project's own store names artifacts of another folder, named `mlartifacts` too."""
    if strangers := elsewhere():
        folder = unquote(strangers[0].removeprefix("file://"))
        raise ConfigError(
            f"{DATABASE} of this folder keeps its artifacts in {folder}: the project was moved or copied",
            fix=f"{COMMAND}, which makes {DATABASE} name {ARTIFACTS}/ of this folder; copy the files there too",
        )


def elsewhere() -> list[str]:
    """Return the addresses of experiments of the project's own store that are another project's `mlartifacts`."""
    if not DATABASE.is_file():
        return []
    with closing(sqlite3.connect(f"{DATABASE.resolve().as_uri()}?mode=ro", uri=True)) as database:
        try:
            rows = database.execute("SELECT DISTINCT artifact_location FROM experiments ORDER BY 1").fetchall()
        except sqlite3.DatabaseError:  # not a database of MLflow, which reports that itself
            return []
    local = [str(row[0]) for row in rows if str(row[0]).startswith("file:///")]
    return [one for one in local if Path(one).name == ARTIFACTS.name and one != home()]


def home() -> str:
    """Return the address of the artifacts of the working directory."""
    return ARTIFACTS.resolve().as_uri()


def relocate() -> int:
    """Replace the old folder by that of the working directory in every address; return how many were changed."""
    if not DATABASE.is_file():
        raise DataError(f"{DATABASE} is missing", fix="run from the project's folder")
    changed = 0
    with closing(sqlite3.connect(DATABASE, timeout=30)) as database, database:
        for old in elsewhere():
            for table, column in ADDRESSES:
                changed += database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608 - names are constants
                    f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                    (home(), len(old) + 1, old, len(old) + 1, f"{old}/"),
                ).rowcount
    return changed


def main() -> int:
    """Relocate the store of the working directory, and return the exit code."""
    try:
        changed = relocate()
    except CgdmerError as error:
        sys.stderr.write(f"{error}\n")
        return error.code
    sys.stdout.write(f"{changed} addresses of {DATABASE} changed to {ARTIFACTS.resolve()}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
