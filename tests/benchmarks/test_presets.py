"""The table of presets: every setting that differs, alone, with the figures of its own runs."""

import dataclasses
import json

import presets
import pytest

from codecsim.codec.presets import PRESETS, SearchSettings
from codecsim.experiments.compare import compare
from codecsim.experiments.database import Database, sources_digest
from tests.benchmarks.test_rd import cells_of, rows_of

FIELDS = [field.name for field in SearchSettings.declared()]


@pytest.mark.parametrize("preset", PRESETS)
def test_steps_change_one_field_to_a_neighbours_value(preset):
    order = list(PRESETS)
    found = presets.steps(preset, "ra", "online")
    for step in found:
        assert abs(order.index(step.other) - order.index(preset)) == 1
        effort = step.arm.encoder_config("ldp", 32, 1).search
        changed = {name for name in FIELDS if getattr(effort, name) != getattr(PRESETS[preset], name)}
        if step.field:
            assert changed == {step.field}
            assert getattr(effort, step.field) == getattr(PRESETS[step.other], step.field)
        else:
            assert effort == PRESETS[step.other]
    for other in {step.other for step in found}:
        differing = [name for name in FIELDS if getattr(PRESETS[preset], name) != getattr(PRESETS[other], name)]
        assert [step.field for step in found if step.other == other] == [*differing, None]


@pytest.mark.parametrize(
    ("config", "mode", "idle"),
    [
        ("ra", "online", set()),
        ("ra", "off", {"filter_passes"}),
        ("ldb", "online", {"bi_rounds"}),
        ("ldp", "off", {"filter_passes", "bi_rounds", "bi_all_refs"}),
    ],
)
def test_fields_that_do_nothing_are_left_out(monkeypatch, config, mode, idle):
    presets_that_differ = {
        "one": dataclasses.replace(PRESETS["slow"], filter_passes=1, bi_rounds=1, bi_all_refs=False, rings=1),
        "other": dataclasses.replace(PRESETS["slow"], filter_passes=2, bi_rounds=2, bi_all_refs=True, rings=2),
    }
    monkeypatch.setattr(presets, "PRESETS", presets_that_differ)
    found = {step.field for step in presets.steps("one", config, mode)}
    assert found == {"filter_passes", "bi_rounds", "bi_all_refs", "rings", None} - idle


def test_table(clips, tmp_path, capsys):
    words = ["--clips", clips, "--clip", "a", "--preset", "fast", "--frames", 2, "-j", 1]
    words += ["--database", tmp_path / "runs.sqlite", "--output", tmp_path / "presets.md"]
    assert presets.main(presets.parse(list(map(str, words)))) == 0
    printed = capsys.readouterr().out
    assert (tmp_path / "presets.md").read_text() == printed
    steps = presets.steps("fast", "ldp", "off")
    rows = cells_of(printed, "Preset fast")
    assert [row[0] for row in rows] == [step.field or "all" for step in steps]
    assert len(rows_of(tmp_path)) == 4 * (1 + len(steps))
    for row, step in zip(rows, steps, strict=True):
        assert row[5] == (presets.DOCS[step.field] if step.field else "that preset itself")
        with Database(tmp_path / "runs.sqlite") as kept:
            (clip,) = presets.find_clips(str(clips), ["a"])
            curves = [
                kept.curve(sources_digest(), clip.sha256, arm.encoder_config("ldp", 22, 2))
                for arm in (presets.preset_arm("fast", "off"), step.arm)
            ]
        assert [len(curve) for curve in curves] == [4, 4]
        results = [
            [json.loads(run["result"]) | {"seconds": run["encoder_seconds"]} for run in curve] for curve in curves
        ]
        (found,) = compare(*results)
        assert row[3:5] == [f"{found.bd_rate['y']:+.2f}", f"{100 * (1 - found.encoder_time):+.0f}"]
