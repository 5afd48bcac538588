import os
from contextlib import chdir
from pathlib import Path

import pytest
from support import example_report

from cgdmer import settings, stages


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A folder with a finished run and its report."""
    folder = tmp_path_factory.mktemp("finished")
    with chdir(folder):
        example_report.write()
        stages.find("report")(report=settings.Report(), matrix=example_report.MATRIX)
    return folder


@pytest.fixture
def run(finished, monkeypatch):
    """The finished run as working directory; it is only read."""
    monkeypatch.chdir(finished)
    return Path(os.getcwd())
