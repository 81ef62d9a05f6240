"""The table of presets: every setting that differs, alone, with the figures of its own runs."""

import dataclasses
import json

import presets
import pytest
from campaign.database import Database, sources_digest

from codecsim.config import PRESETS, Preset
from codecsim.experiments.compare import compare
from tests.benchmarks.test_rd import cells_of, rows_of

FIELDS = [field.name for field in dataclasses.fields(Preset)]


@pytest.mark.parametrize("preset", PRESETS)
def test_steps_change_one_field_to_a_neighbours_value(preset):
    order = list(PRESETS)
    found = presets.steps(preset, "ra", "online")
    for step in found:
        assert abs(order.index(step.other) - order.index(preset)) == 1
        effort = step.arm.encoder_config("ldp", 32, 1).search_effort
        changed = {name for name in FIELDS if getattr(effort, name) != getattr(PRESETS[preset], name)}
        if step.field:
            assert changed == {step.field}
            assert getattr(effort, step.field) == getattr(PRESETS[step.other], step.field)
        else:
            assert effort == PRESETS[step.other]
    for other in {step.other for step in found}:
        differing = [name for name in FIELDS if getattr(PRESETS[preset], name) != getattr(PRESETS[other], name)]
        assert [step.field for step in found if step.other == other] == [*differing, None]


def test_fields_that_do_nothing_are_left_out():
    idle = {*presets.OF_THE_FILTER, *presets.OF_B_SLICES}
    assert idle <= set(FIELDS)
    fields = {step.field for preset in PRESETS for step in presets.steps(preset, "ra", "online")}
    assert fields & {*presets.OF_THE_FILTER} and fields & {*presets.OF_B_SLICES}
    assert {step.field for preset in PRESETS for step in presets.steps(preset, "ldp", "off")} == fields - idle


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
