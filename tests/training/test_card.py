"""Cards of trained models: dropped samples and figures."""

import json

import numpy as np
import pytest

from codecsim.errors import ConfigError
from codecsim.learned.model_files import save_model
from codecsim.training.by_engine import EngineTraining
from codecsim.training.card import Table, Training, card_path, check_card, write_card
from codecsim.training.card_figures import engine_figures, intra_figures, loop_figures
from tests.learned.test_model_files import make_model


@pytest.fixture
def output(tmp_path):
    save_model(tmp_path / "a.b.safetensors", make_model())
    return tmp_path / "a.b.safetensors"


def test_what_was_dropped_and_found(tmp_path, output):
    for k, qp in enumerate((22, 37)):
        about = {"source": "x|y", "config": "ra", "qp": qp, "samples": [qp] * (k + 1)}
        (tmp_path / f"{k}.json").write_text(json.dumps(about))
    dropped = [
        {"step": 1000, "blocks": 2000, "dropped": 1500, "by_kind": {"QP 22": 1400, "QP 37": 100}},
        {"step": 2000, "blocks": 2000, "dropped": 0, "by_kind": {}},
    ]
    figures = [Table("Gain.", ["at the end"], {"ra 22": [1.5]})]
    training = Training(EngineTraining(), str(tmp_path), "codecsim train luma s", figures, dropped)
    assert write_card(output, make_model(), training) == card_path(output) == tmp_path / "a.b.card.md"
    card = card_path(output).read_text()
    assert "3 pictures, by their sources:" in card and "| x\\|y | 2 | 3 | ra | 22, 37 |" in card
    assert "After 1,000 steps, because the filter made them worse: 1,500 of 2,000 blocks:\n\n- QP 22: 1,400\n" in card
    assert "After 2,000 steps, because the filter made them worse: 0 of 2,000 blocks.\n" in card
    assert "Gain.\n\n|  | at the end |\n|---|---|\n| ra 22 | 1.5 |\n" in card
    check_card(output)  # its own may be written again


@pytest.mark.parametrize("other", ["# a.b.other\n", "", "# a.b.safetensors.old\n"])
def test_another_card_is_kept(tmp_path, output, other):
    card_path(output).write_text(other)
    with pytest.raises(ConfigError, match="a.b.card.md: would be the card of"):
        write_card(output, make_model(), Training(EngineTraining(), str(tmp_path), ""))
    assert card_path(output).read_text() == other


def test_figures():
    (table,) = engine_figures({"training": {"everywhere": 0.9}, "validation": {"everywhere": 0.95, "ra 22": 0.97}})
    assert (table.columns, table.rows) == (
        ["training samples", "validation samples"], {"everywhere": [0.9, 0.95], "ra 22": ["", 0.97]}
    )  # fmt: skip
    (table,) = loop_figures({"gains": {"ai 22": [0.1, -0.2, 0]}, "dropping": {}})
    assert (table.columns, table.rows) == (["at the end"], {"ai 22": ["+0.100, -0.200, +0.000"]})
    (table,) = intra_figures({3: np.array([0.98, 0.9612, 0.5])})
    assert table.rows == {"8x8": ["98.00 %", "96.12 %", "50.00 %"]}
    assert loop_figures({"dropping": {}}) == intra_figures({}) == ()
