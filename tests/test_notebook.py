"""The notebook runs from its first cell to its last, and is committed without outputs or paths of a machine."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient
from support import example_recordings as example

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks/first_steps.ipynb"


def test_it_goes_from_a_wfdb_file_to_a_probe(tmp_path, monkeypatch):
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("CGDMER_MODEL", str(example.model()))
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert "image/svg+xml" in cells[2].outputs[0].data
    assert "tells them apart" in cells[-1].outputs[0].text


def test_it_is_committed_clean():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert not any(place in NOTEBOOK.read_text() for place in ("/home/", "/root/", "/tmp/", "/Users/"))
