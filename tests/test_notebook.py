"""The notebook runs from its first cell to its last, and is committed without outputs or paths of a machine."""

import re
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from support import example_recordings as example

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks/first_steps.ipynb"


def test_it_goes_from_a_wfdb_file_to_a_calibrated_probe_and_a_page(tmp_path, monkeypatch):
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("CGDMER_MODEL", str(example.model()))
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert "image/svg+xml" in cells[2].outputs[0].data
    assert "tells them apart" in cells[5].outputs[0].text
    fitted, scored, pages = (_text(cell) for cell in cells[6:])
    assert "fibrillation" in fitted
    assert float(re.search(r"50.0 %\s+(0\.\d+|1\.\d+)", fitted)[1]) > 0.9, "the AUROC of simulated fibrillation"
    assert "calibrated by `cgdmer fit`" in scored
    assert "r79.hea" in scored
    assert "'index.html'" in pages


def _text(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


def test_it_is_committed_clean():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert not any(place in NOTEBOOK.read_text() for place in ("/home/", "/root/", "/tmp/", "/Users/"))
