"""Fixtures that all tests share: an offline environment, and the folders of the real recordings and split tables."""

import functools
import gc
import os
import sys
from collections.abc import Callable
from multiprocessing import forkserver, get_context
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("project", deadline=None, derandomize="CGDMER_FUZZ_CASES" not in os.environ)
settings.load_profile("project")
"""The same examples in every run, so that a failure concerns the change at hand; `make fuzz` looks for new ones. None
has a deadline, because the machine may be busy."""

pytest_plugins = ["support.process_state", "support.recording_fixtures", "support.task_fixtures"]

SHARED = Path(os.environ.get("CGDMER_TEST_SHARED", Path(__file__).resolve().parents[2] / "shared"))

KEPT = {"CGDMER_TEST_SHARED", "CGDMER_FUZZ_CASES"}
"""Variables for the tests themselves; all others of the project would change what is tested."""
for name in [key for key in os.environ if key.startswith("CGDMER_") and key not in KEPT]:
    del os.environ[name]
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
"""Without byte code, each worker rewrites the assertions of 400 files in every run, which takes it 8 s."""
os.environ.update(
    CGDMER_TRACKING="off",
    HF_HUB_OFFLINE="1",
    DVC_NO_ANALYTICS="1",
    DO_NOT_TRACK="true",
    MLFLOW_DISABLE_TELEMETRY="true",
    GX_ANALYTICS_ENABLED="false",
    PREFECT_API_URL="",
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    OMP_NUM_THREADS="1",
)

IMPORTED_ONCE = [
    "cgdmer.commands.encoding", "cgdmer.commands.measure", "cgdmer.demo_corpora.ptb_xl", "cgdmer.encoders.handcrafted",
    "cgdmer.preprocessing", "cgdmer.probing.linear_probe", "cgdmer.streams.stream", "scipy.sparse",
]  # fmt: skip
"""What the worker processes of tests need; each is forked from a process that has imported it, and starts at once."""
if "PYTEST_XDIST_WORKER" in os.environ:
    get_context("forkserver").set_forkserver_preload(IMPORTED_ONCE)
    forkserver.ensure_running()


@pytest.fixture(scope="session")
def real() -> Path:
    """Folder with the real PTB-XL, CPSC2018 and CSN subsets."""
    folder = SHARED / "real"
    if not folder.is_dir():
        pytest.skip(f"needs the real recordings; none at {folder} (set CGDMER_TEST_SHARED)")
    return folder


@pytest.fixture(scope="session")
def protocol() -> Path:
    """Folder with the published split tables and prompts."""
    folder = SHARED / "protocol"
    if not folder.is_dir():
        pytest.skip(f"needs the published split tables; none at {folder} (set CGDMER_TEST_SHARED)")
    return folder


@pytest.fixture(scope="session")
def peer_folder() -> Callable[[str], Path]:
    """Return a function from the name of a published encoder to the folder with its inputs and features."""
    folder = SHARED / "peers"
    if not folder.is_dir():
        pytest.skip(f"needs the features of published encoders; none at {folder} (set CGDMER_TEST_SHARED)")
    return folder.joinpath


FLOOR = 1800
"""A run of the whole suite that collects fewer tests has lost some."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Fail when files fell out of collection; a run of chosen tests is left alone."""
    whole = config.args == config.getini("testpaths") and not config.option.keyword and not config.option.markexpr
    if whole and len(items) < FLOOR:
        raise pytest.UsageError(f"only {len(items)} tests were collected, {FLOOR} were expected at least")


LONGEST = 250
"""Characters of a parameter in the name of a test."""


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long text or content by its length: names are printed, and sent between processes."""
    return f"{argname} of {len(val):,}" if isinstance(val, str | bytes) and len(val) > LONGEST else None


def pytest_collection_finish() -> None:
    """Leave the thousands of collected tests out of every later garbage collection, which would take seconds.

    Every training ends by measuring the device's peak FLOP/s, which takes a second; here one measurement serves all.
    """
    gc.collect()
    gc.freeze()
    if throughput := sys.modules.get("cgdmer.training.throughput"):
        throughput.measure_peak = functools.cache(throughput.measure_peak)  # type: ignore[attr-defined]
