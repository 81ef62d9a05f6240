"""benchmarks/loop_places.py: trains each place and puts what it found into one table."""

import history
import loop_places
import numpy as np

from codecsim.learned.loop.spec import ATTENTIONS


def test_means_are_by_configuration():
    gains = {"ai 22": [1, 2, 3], "ai 37": [3, 2, 1], "ra 22": [5, 5, 5]}
    np.testing.assert_array_equal(loop_places.mean_gains(gains, "ai"), [2, 2, 2])
    assert loop_places.mean_gains(gains, "ldp") is None


def test_table_of_all_places(tmp_path, monkeypatch, capsys):
    trained = []

    def train_loop(spec, folder, training, validation, work, report):
        trained.append((spec.attention, training.seed, training.steps, folder, validation))
        return None, {"gains": {"ai 22": [len(trained), 0, 0], "ai 37": [0, 0, 0]}}

    monkeypatch.setattr("codecsim.training.loop.train_loop", train_loop)
    words = ["s", "--validation", "v", "--steps", "7", "--seed", "1", "2", "--output", str(tmp_path / "t.md")]
    words += ["--history", str(tmp_path / "h.jsonl")]
    assert loop_places.main(loop_places.parse(words)) == 0
    assert trained == [(place, seed, 7, "s", "v") for place in ATTENTIONS for seed in (1, 2)]
    text = (tmp_path / "t.md").read_text()
    assert "| early | 1 |" in text and "| all | 2 |" in text and "| +4.000 |" in text  # the eighth training: 8 / 2
    kept = history.read(tmp_path / "h.jsonl")
    assert [figure["value"] for figure in kept] == [k / 2 for k in range(1, len(trained) + 1)]
    assert kept[0]["figure"] == "loop places, early, ai, Y" and "7 steps, seed 1" in kept[0]["of"]
    capsys.readouterr()
