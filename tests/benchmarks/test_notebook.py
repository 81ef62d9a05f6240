"""The notebook on filters of one's own, executed with fewer pictures."""

import ast
import os

import pytest

from tests.benchmarks.conftest import BENCHMARKS

nbformat = pytest.importorskip("nbformat", reason="notebooks need nbclient: pip install '.[notebook]'")
nbclient = pytest.importorskip("nbclient", reason="notebooks need nbclient: pip install '.[notebook]'")
pytest.importorskip("torch", reason="the notebook needs torch: pip install '.[train]'")
PATH = BENCHMARKS / "tutorial" / "your_filter.ipynb"


def read():
    return nbformat.read(PATH, as_version=4)


def results(notebook):
    """Texts of the last values of cells of code that have one."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    return [output.data["text/plain"] for output in outputs if output.output_type == "execute_result"]


def rates(notebook):
    """BD-rates by arm."""
    (found,) = [text for text in results(notebook) if text.startswith("{")]
    return ast.literal_eval(found)


def test_it_runs(tmp_path, monkeypatch):
    notebook = read()
    cut = [cell for cell in notebook.cells if "[:9, " in cell.source]
    assert len(cut) == 1
    cut[0].source = cut[0].source.replace("[:9, ", "[:3, ")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(BENCHMARKS.parent), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    assert {*rates(notebook)} == {"shipped", "shipped, untrained", "mine", "blend"}
    printed = "".join(output.text for cell in notebook.cells for output in cell.get("outputs", []) if "text" in output)
    assert "the same pictures: True" in printed


def test_it_is_kept_with_its_outputs():
    notebook = read()
    assert rates(notebook)["shipped"] < 0
    pictures = [
        output for cell in notebook.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 3
    assert PATH.stat().st_size < 600_000
    assert str(BENCHMARKS) not in PATH.read_text()
