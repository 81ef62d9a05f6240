"""What `codecsim train` says before it starts to work."""

import sys

import pytest

from codecsim.cli import run

TRAININGS = "luma", "chroma", "intra", "loop"


@pytest.mark.parametrize("kind", TRAININGS)
def test_an_output_that_cannot_be_is_told_first(kind, tmp_path, capsys):
    """Before the samples are looked for, of which there are none."""
    (tmp_path / "file").touch()
    refused = (tmp_path, "is a folder"), (tmp_path / "file" / "x", "file/x"), ("-", "standard output has the report")
    for output, message in refused:
        assert run(["train", kind, str(tmp_path / "none"), "-o", str(output)]) > 0
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["intra", "loop"])
def test_without_torch(kind, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "codecsim.training.device_times", raising=False)
    assert run(["train", kind, str(tmp_path), "-o", str(tmp_path / "model")]) == 2
    assert "pip install 'codecsim[train]'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["intra", "loop"])
def test_without_cuda(kind, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert run(["train", kind, str(tmp_path), "-o", str(tmp_path / "model"), "--device", "cuda"]) == 2
    assert "--device cuda: torch finds no such device here" in capsys.readouterr().err
