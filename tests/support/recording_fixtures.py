"""Records written by `wfdb` and corpora as folder and zip, for the tests of decoding and archives."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import wfdb


@pytest.fixture(params=["folder", "zip"])
def pack(request, tmp_path):
    """A function that lays files out as a folder or as a zip and returns its path."""

    def lay_out(files: dict[str, bytes]) -> Path:
        if request.param == "zip":
            path = tmp_path / "corpus.zip"
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in files.items():
                    archive.writestr(name, content)
            return path
        for name, content in files.items():
            target = tmp_path / "corpus" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return tmp_path / "corpus"

    return lay_out


@pytest.fixture(scope="session")
def write_with_wfdb():
    """A function that lets `wfdb` write integers (T, L) as one record in one format."""

    def write(folder: Path, name: str, digital: np.ndarray, fmt: str, gains, baselines, fs=500, **more) -> None:
        leads = digital.shape[1]
        wfdb.wrsamp(
            name,
            fs=fs,
            units=["mV"] * leads,
            sig_name=[f"V{lead + 1}" for lead in range(leads)],
            d_signal=digital.astype(np.int64),
            fmt=[fmt] * leads,
            adc_gain=list(gains),
            baseline=list(baselines),
            write_dir=str(folder),
            **more,
        )

    return write
