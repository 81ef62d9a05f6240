"""Tuning: plans, spaces, what a trial measures, studies that go on, and the preset at the end."""

import dataclasses
import itertools
import json

import optuna
import pytest

from codecsim.cli import run
from codecsim.codec.active_tools import resolve_tools
from codecsim.codec.config import find_setting
from codecsim.errors import CodecError, ConfigError
from codecsim.experiments.bdrate import bd_rate
from codecsim.experiments.clips import read_clip
from codecsim.experiments.compare import coded_bits
from codecsim.experiments.database import Database, sources_digest
from codecsim.experiments.runs import encode_video, plain
from codecsim.experiments.settings_files import check_together, read_settings_file
from codecsim.experiments.tuning import evaluation, study
from codecsim.experiments.tuning.evaluation import Evaluator, Measured, picture_costs, trial_cells
from codecsim.experiments.tuning.outcome import check_separation, make_preset, preset_text
from codecsim.experiments.tuning.plan import SAMPLERS, Plan, read_plan
from codecsim.experiments.tuning.space import USUAL, Dimension, default_point
from codecsim.experiments.tuning.study import Search, choose_trial, finished_trials, is_on_front, open_study, run_trials
from codecsim.formats.video import create_video, open_video
from codecsim.tools import INTER_LUMA
from codecsim.tools.inter_luma import InterLumaSettings
from codecsim.tools.learner import Control, Expert
from tests.conformance.clips import make_clip

TEXT = """\
name = "trial"
description = "for the tests"
frames = 3
qps = [27, 37]
options = "--set inter_luma.experts=online"
training_at_most = 0.5
prune = false

[clips]
validation = ["a"]
test = ["b"]
training = ["c"]

[inter_luma]
control = "threshold"
epochs_q2 = { low = 2, high = 16, log = true, by_qp = [22, 37] }
tile_threshold_q8 = { low = 1, high = 500, log = true, by_qp = [22, 37] }
learning_rate = "search"
loss = { choices = ["huber", "l1"] }

[[start]]
inter_luma = { epochs_q2 = 4, loss = "l1" }
"""


def write_plan(folder, text=TEXT):
    path = folder / "plan.toml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Folder with the clips a and b, and their Clips by name."""
    folder = tmp_path_factory.mktemp("clips")
    for seed, name in enumerate("ab"):
        video_format, frames = make_clip("texture", 64, 64, 3, seed=seed)
        with create_video(folder / f"{name}.y4m", video_format) as write:
            for frame in frames:
                write(frame)
    return folder, {name: read_clip(folder / f"{name}.y4m") for name in "ab"}


def test_a_plan_is_read(tmp_path):
    plan = read_plan(write_plan(tmp_path))
    assert (plan.name, plan.qps, plan.validation, plan.test, plan.training) == (
        "trial", (27, 37), ("a",), ("b",), ("c",),
    )  # fmt: skip
    assert plan.fixed == {"inter_luma.control": Control.THRESHOLD}
    assert [dimension.parameters for dimension in plan.dimensions] == [
        ("inter_luma.epochs_q2@22", "inter_luma.epochs_q2@37"),
        ("inter_luma.tile_threshold_q8@22", "inter_luma.tile_threshold_q8@37"),
        ("inter_luma.learning_rate",),
        ("inter_luma.loss",),
    ]
    rate = plan.dimensions[2]
    assert (rate.low, rate.high, rate.log) == (3e-4, 2e-2, True)


def test_what_a_trial_chose_becomes_settings(tmp_path):
    plan = read_plan(write_plan(tmp_path))
    values = {
        "inter_luma.epochs_q2@22": 4, "inter_luma.epochs_q2@37": 16, "inter_luma.tile_threshold_q8@22": 10,
        "inter_luma.tile_threshold_q8@37": 40, "inter_luma.learning_rate": 1e-3, "inter_luma.loss": "l1",
    }  # fmt: skip
    settings = plan.settings(values)
    assert settings == {
        "inter_luma.control": Control.THRESHOLD, "inter_luma.epochs_q2": {22: 4, 37: 16},
        "inter_luma.tile_threshold_q8": [10, 20, 30, 40], "inter_luma.learning_rate": 1e-3, "inter_luma.loss": "l1",
    }  # fmt: skip
    found = resolve_tools(plan.encoder_config(settings, 22, 3))[INTER_LUMA].settings
    assert (found.epochs_q2, found.experts) == (4, Expert.ONLINE)


def test_settings_of_a_learner_that_is_off_are_not_taken(tmp_path):
    plan = read_plan(write_plan(tmp_path))
    with_chroma = plan.encoder_config({"inter_luma.replay": 1, "inter_chroma.replay": 1}, 22, 3)  # of a preset
    assert with_chroma == plan.encoder_config({"inter_luma.replay": 1}, 22, 3)


def test_the_search_begins_at_the_defaults_and_where_the_plan_says(tmp_path):
    plan = read_plan(write_plan(tmp_path))
    usual = InterLumaSettings()
    point = default_point(plan.dimensions, {})
    assert point == {
        "inter_luma.epochs_q2@22": usual.epochs_q2, "inter_luma.epochs_q2@37": usual.epochs_q2,
        "inter_luma.tile_threshold_q8@22": usual.tile_threshold_q8[0],
        "inter_luma.tile_threshold_q8@37": usual.tile_threshold_q8[3],
        "inter_luma.learning_rate": usual.learning_rate, "inter_luma.loss": "huber",
    }  # fmt: skip
    started = default_point(plan.dimensions, plan.starts[0])
    assert started == point | {"inter_luma.epochs_q2@22": 4, "inter_luma.epochs_q2@37": 4, "inter_luma.loss": "l1"}


def test_points_stay_within_the_range():
    dimension = Dimension("inter_luma.epochs_q2", low=2, high=8)
    assert [dimension.point(value)["inter_luma.epochs_q2"] for value in (1, 5, 9)] == [2, 5, 8]
    assert dimension.point({22: 4, 32: 6, 37: 8}) == {"inter_luma.epochs_q2": 6}


@pytest.mark.parametrize("group", ["inter_luma", "inter_chroma"])
@pytest.mark.parametrize("name", USUAL)
def test_usual_ranges_are_allowed_from_end_to_end(group, name):
    space, declared = USUAL[name], find_setting(f"{group}.{name}")
    qps = (22, 37) if declared.kind is tuple else ()
    dimension = Dimension(declared.full_name, space.get("low"), space.get("high"), qps=qps)
    for end in space.get("choices", ()) or (space["low"], space["high"]):
        value = dimension.setting(dict.fromkeys(dimension.parameters, end))
        check_together(group, {declared.full_name: declared.read(value)})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "trial"', "nam = 1", "line 1: unknown key 'nam'; expected one of name, "),
        ("frames = 3", "frames = 0", "line 3: frames is 0; expected a number of pictures, above 0"),
        ("frames = 3", "frames = true", "line 3: frames is True"),
        ("qps = [27, 37]", "qps = [27]", "line 4: qps is .27.; expected a list of at least two QPs"),
        ("prune = false", 'sampler = "grid"', "line 7: sampler is 'grid'; expected one of tpe, nsga2, random"),
        ("prune = false", "seed = -1", "line 7: seed is -1; expected a whole number from 0"),
        ("prune = false", 'config = "low"', "line 7: config is 'low'; expected one of ai, ldp, ldb, ra"),
        ("training_at_most = 0.5", "training_at_most = -1", "line 6: training_at_most is -1; .*above 0"),
        ('["b"]', '["a"]', "line 11: a is a clip of validation and of test"),
        ('["a"]', "[]", "line 10: expected names of clips in validation"),
        ("validation", "validate", "line 10: unknown key 'validate'; expected one of validation, test, training"),
        ("control =", "kontrol =", "line 15: no setting 'inter_luma.kontrol' .*; inter_luma has model, "),
        ('"threshold"', '"often"', "line 15: .*expected one of always, threshold, never"),
        ("low = 2", "low = 20", "line 16: epochs_q2 is .*; expected choices, or low below high"),
        ("low = 2", "low = 0", "line 16: epochs_q2 is .*; expected low above 0 where log is true"),
        ("high = 16", "high = 256", "line 16: .*epochs_q2 is 256; expected 0..255"),
        ("high = 16", "hi = 16", "line 16: epochs_q2 has 'hi'; expected low, high, log, choices, by_qp"),
        ("low = 2", 'low = "x"', "line 16: low of epochs_q2 is 'x'; expected a number"),
        ("low = 2", "low = true", "line 16: low of epochs_q2 is True; expected a number"),
        ("high = 16", "high = inf", "line 16: high of epochs_q2 is inf; expected a number"),
        ("low = 2, ", "", "line 16: epochs_q2 is .*; expected choices, or low below high"),
        ("low = 2, high = 16", "low = 2", "line 16: epochs_q2 is .*; expected choices, or low below high"),
        ("log = true", "log = 1", "line 16: log of epochs_q2 is 1; expected true or false"),
        ("by_qp = [22, 37]", "by_qp = 3", "line 16: by_qp of epochs_q2 is 3; expected true, false or a list of QPs"),
        ("by_qp = [22, 37]", "by_qp = []", "line 16: by_qp of epochs_q2 is ..; expected true, false or a list of QPs"),
        ("by_qp = [22, 37]", "by_qp = [22, 52]", "line 16: by_qp of epochs_q2 is .22, 52.; expected true, false or"),
        ('["huber", "l1"]', "5", "line 19: choices of loss is 5; expected a list of values"),
        ('["huber", "l1"]', '"huber"', "line 19: choices of loss is 'huber'; expected a list of values"),
        ('["huber", "l1"]', "[]", "line 19: choices of loss is ..; expected a list of values"),
        ('"l1"] }', '"l1"], low = 1 }', "line 19: loss has choices; expected no low, high or log beside them"),
        ('"l1"] }', '"l3"] }', "line 19: .*loss is 'l3'; expected one of huber, l2, l1"),
        ("learning_rate", "channels", "line 18: channels has no usual range; expected low and high, or choices"),
        ("epochs_q2 = 4", "replay = 4", "line 22: inter_luma.replay is not searched; expected inter_luma.epochs_q2, "),
        ("epochs_q2 = 4", "epochs_q2 = nan", "line 22: .*epochs_q2 is nan"),
        ("epochs_q2 = 4", "epochs_q2 = {}", "line 22: .*epochs_q2 has no values"),
        ('loss = "l1" }', 'loss = "l3" }', "line 22: .*loss is 'l3'; expected one of huber, l2, l1"),
        (
            'inter_luma = { epochs_q2 = 4, loss = "l1" }',
            "inter_luma = 3",
            "line 22: inter_luma is 3; expected a table of settings",
        ),
        ('name = "trial"', "start = [5]", "line 1: start is 5; expected tables ..start.. of settings"),
        ("qps = [27, 37]", "qps = [[27], 37]", "line 4: qps is ..27., 37.; expected a list of at least two QPs"),
        ("training_at_most = 0.5", "training_at_most = nan", "line 6: training_at_most is nan; .*above 0"),
        (
            "experts=online",
            "learning_rate=1",
            "line 5: options set inter_luma.learning_rate, which is a setting of .inter_luma.",
        ),
        ("--set inter_luma.experts=online", "--filter off", "line 14: .inter_luma. is of a tool that is off"),
        ("prune = false", 'config = "ai"', "line 14: .inter_luma. is of a tool that is off; .* and inter pictures"),
        ("[[start]]", "[inter_chroma]\nreplay = 1\n[[start]]", "line 21: .inter_chroma. is of a tool that is off"),
        ("--set inter_luma.experts=online", "--filtre off", "line 5: .*--filtre"),
    ],
)
def test_bad_plans_name_the_line_and_what_is_allowed(tmp_path, old, new, message):
    assert TEXT.count(old) >= 1
    text = TEXT.replace(old, new, 1)
    path = write_plan(tmp_path, text.partition("[[start]]")[0] if "start =" in text else text)
    with pytest.raises(ConfigError, match=message) as raised:
        read_plan(path)
    assert str(raised.value).startswith(str(path))


def test_rounds_of_a_trial_have_each_clip_once_at_different_qps(clips):
    plan = Plan("p", (), ("a", "b"), qps=(22, 27, 32, 37))
    cells = trial_cells(plan, tuple(clips[1].values()))
    assert len(set(cells)) == 8
    for turn in range(4):
        first, second = cells[2 * turn : 2 * turn + 2]
        assert (first.clip.name, second.clip.name) == ("a", "b")
        assert first.qp != second.qp


def test_a_trial_measures_what_encodings_give(tmp_path, clips, monkeypatch):
    plan = dataclasses.replace(read_plan(write_plan(tmp_path)), validation=("a",))
    clip, database = clips[1]["a"], str(tmp_path / "runs.sqlite")
    settings = plan.settings(default_point(plan.dimensions, plan.starts[0]))

    def encode(config):
        with open_video(clip.path) as video:
            return encode_video(video, config, tmp_path / "stream.bin")

    results = {}
    for qp in plan.qps:
        results[qp] = (
            encode(plan.reference_arm().encoder_config("ldp", qp, 3)),
            encode(plan.encoder_config(settings, qp, 3)),
        )
    curves = [[(coded_bits(pair[k]), pair[k]["psnr_y"]) for pair in results.values()] for k in (0, 1)]
    with Database(database) as kept:
        kept.add_version(sources_digest())
    with pytest.raises(CodecError, match="the reference has no run of a at QP"):
        Evaluator(plan, (clip,), database, sources_digest())
    with Database(database) as kept:
        for qp in plan.qps:
            config = plan.reference_arm().encoder_config("ldp", qp, 3)
            key = evaluation.run_key(config, clip.sha256, sources_digest())
            kept.add(key, clip, config, sources_digest(), evaluation.Done(results[qp][0], None, 1.0, "m", "s"))

    reports = []
    evaluator = Evaluator(plan, (clip,), database, sources_digest())
    measured = evaluator.measure(settings, lambda *report: reports.append(report))
    assert measured.bd_rate == measured.by_clip["a"] == bd_rate(*curves).percent
    training = [pair[1]["kmac_per_pixel"]["training"] for pair in results.values()]
    assert measured.training == pytest.approx(sum(training) / 2, rel=1e-12)
    assert measured.training > 0

    costs = []  # in percent above the reference's, after each picture of each encoding
    for qp in plan.qps:
        own, other = (picture_costs(result["pictures"], qp, 64 * 64) for result in reversed(results[qp]))
        sums = zip(itertools.accumulate(own), itertools.accumulate(other), strict=True)
        costs.append([100 * (a / b - 1) for a, b in sums])
    first = [(k + 1, cost) for k, cost in enumerate(costs[0])]
    second = [(k + 4, (costs[0][-1] + cost) / 2) for k, cost in enumerate(costs[1])]
    assert reports == [(step, pytest.approx(cost, rel=1e-12)) for step, cost in first + second]

    monkeypatch.setattr(evaluation, "encode_video", lambda *arguments, **named: pytest.fail("coded again"))
    again = []
    assert evaluator.measure(settings, lambda *report: again.append(report)) == measured
    assert again == reports


class Analytic:
    """In place of the Evaluator: the more epochs, the better and the dearer; the best learning rate is 2e-3."""

    calls = 0

    def __init__(self, *arguments):
        pass

    def measure(self, settings, report=lambda step, cost: None):
        Analytic.calls += 1
        epochs, rate = settings["inter_luma.epochs_q2"], settings["inter_luma.learning_rate"]
        worth = abs(rate / 2e-3 - 1) - epochs
        for step in range(1, 7):
            report(step, worth)
        return Measured(worth, float(epochs), {"a": worth})


@pytest.fixture
def search(tmp_path, clips, monkeypatch):
    monkeypatch.setattr(study, "Evaluator", Analytic)
    monkeypatch.setattr(Analytic, "calls", 0)
    dimensions = (
        Dimension("inter_luma.epochs_q2", low=1, high=16),
        Dimension("inter_luma.learning_rate", low=1e-4, high=1e-2, log=True),
    )
    plan = Plan("p", dimensions, ("a",), frames=1, prune=False, starts=({"inter_luma.epochs_q2": 3},))
    storage = f"sqlite:///{tmp_path}/studies.sqlite"
    return Search(plan, (clips[1]["a"],), str(tmp_path / "runs.sqlite"), storage, "sources", None)


def test_a_study_begins_at_the_defaults_and_goes_on(search):
    said = []
    run_trials(search, 3, None, 1, said.append)
    assert len(said) == Analytic.calls == 3
    first, second = open_study(search).trials[:2]
    assert first.params == {"inter_luma.epochs_q2": 16, "inter_luma.learning_rate": pytest.approx(3e-3)}
    assert second.params["inter_luma.epochs_q2"] == 3
    run_trials(search, 5, None, 1, said.append)
    assert Analytic.calls == 5
    run_trials(search, 5, None, 1, said.append)
    run_trials(search, 9, 0.0, 1, said.append)
    assert Analytic.calls == 5
    assert [trial.number for trial in open_study(search).trials] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_that_goes_on_makes_new_points(search, sampler):
    plan = dataclasses.replace(search.plan, sampler=sampler)
    for trials in (4, 7, 10):  # the first two are where the search begins
        run_trials(search._replace(plan=plan), trials, None, 1, lambda line: None)
    points = [tuple(trial.params.values()) for trial in open_study(search).trials]
    assert len(points) == len(set(points)) == 10


def test_equal_searches_make_equal_points(search, tmp_path):
    points = []
    for name in ("first", "second"):
        own = search._replace(storage=f"sqlite:///{tmp_path}/{name}.sqlite")
        run_trials(own, 5, None, 1, lambda line: None)
        run_trials(own, 8, None, 1, lambda line: None)
        points.append([trial.params for trial in open_study(own).trials])
    assert points[0] == points[1]


def test_what_decides_values_names_the_study(search):
    changed = [
        search._replace(sources="others"),
        search._replace(training_limit=1.0),
        search._replace(plan=dataclasses.replace(search.plan, qps=(22, 37))),
        search._replace(plan=dataclasses.replace(search.plan, frames=2)),
        search._replace(plan=dataclasses.replace(search.plan, dimensions=search.plan.dimensions[:1])),
        search._replace(plan=dataclasses.replace(search.plan, fixed={"inter_luma.replay": 1})),
    ]
    names = [search.study_name, *(other.study_name for other in changed)]
    assert len(set(names)) == len(names)
    assert search._replace(plan=dataclasses.replace(search.plan, seed=5)).study_name == search.study_name


def test_the_best_trial_keeps_to_the_limit_of_training(search):
    limited = search._replace(training_limit=6.0)
    run_trials(limited, 14, None, 1, lambda line: None)
    trials = finished_trials(open_study(limited), 6.0)
    assert len(trials) == 14
    best = choose_trial(trials, None)
    allowed = [trial for trial in trials if trial.user_attrs["training"] <= 6]
    assert best.user_attrs["bd_rate"] == min(trial.user_attrs["bd_rate"] for trial in allowed)
    assert min(trial.user_attrs["bd_rate"] for trial in trials) < best.user_attrs["bd_rate"]  # the dear ones are better
    assert choose_trial(trials, 0).number == 0
    with pytest.raises(CodecError, match="no finished trial has the number 99"):
        choose_trial(trials, 99)


def test_two_objectives_give_a_front(search):
    plan = dataclasses.replace(search.plan, objective="bd_rate and training", sampler="nsga2")
    both = search._replace(plan=plan)
    run_trials(both, 12, None, 1, lambda line: None)
    opened = open_study(both)
    trials = finished_trials(opened, None)
    front = {trial.number for trial in trials if is_on_front(trial, trials)}
    assert front == {trial.number for trial in opened.best_trials}
    assert len(front) > 1


def test_poor_trials_are_given_up_early(search):
    pruned = search._replace(plan=dataclasses.replace(search.plan, prune=True))
    run_trials(pruned, 14, None, 1, lambda line: None)
    states = [trial.state for trial in open_study(pruned).trials]
    assert states.count(optuna.trial.TrialState.PRUNED) > 0
    assert len(states) == 14
    given_up = [t for t in open_study(pruned).trials if t.state == optuna.trial.TrialState.PRUNED]
    assert all(max(trial.intermediate_values) < 6 for trial in given_up)


def test_a_storage_that_is_none(search):
    with pytest.raises(ConfigError, match="storage nothing:///: cannot be opened"):
        open_study(search._replace(storage="nothing:///"))


def test_clips_serve_one_purpose(clips):
    a, b = clips[1]["a"], clips[1]["b"]
    check_separation((a,), (b,), ("c",))
    with pytest.raises(ConfigError, match="test clip other has the content of validation clip a"):
        check_separation((a,), (dataclasses.replace(a, name="other"),), ())
    with pytest.raises(ConfigError, match="clip b is one that the initial weights were trained on"):
        check_separation((a,), (b,), ("b",))


def test_a_preset_is_read_back_as_it_was_written(tmp_path, search):
    run_trials(search, 1, None, 1, lambda line: None)
    trial = open_study(search).trials[0]
    plan = dataclasses.replace(search.plan, description='a "text"', fixed={"inter_luma.threshold_q8": (1, 2, 3, 4)})
    plan = dataclasses.replace(
        plan, dimensions=(*plan.dimensions, Dimension("inter_chroma.replay", 1, 4, qps=(22, 37)))
    )
    trial.params.update({"inter_chroma.replay@22": 1, "inter_chroma.replay@37": 4})
    preset = make_preset(plan, trial, [trial], "codecsim tune 'a b.toml' --trials 1")
    assert preset.tuned["trials"] == {"complete": 1}
    path = tmp_path / "preset.toml"
    path.write_text(preset_text(preset))
    assert plain(read_settings_file(path)) == plain(preset)


def test_the_command_from_plan_to_preset(tmp_path, clips, capsys):
    plan, preset, database = write_plan(tmp_path), tmp_path / "preset.toml", tmp_path / "tune.sqlite"
    words = ["tune", plan, "--clips", clips[0], "--test-clips", clips[0], "--trials", "3", "--jobs", "2"]
    words += ["--database", database, "-o", preset]
    assert run(list(map(str, words))) == 0
    captured = capsys.readouterr()
    for title in ("The best trials", "Validation clips: means", "Test clips: means", "The preset"):
        assert f"**{title}" in captured.out
    assert "study trial-" in captured.err
    found = read_settings_file(preset)
    names = {"control", "epochs_q2", "tile_threshold_q8", "learning_rate", "loss"}
    assert found.settings.keys() == {f"inter_luma.{name}" for name in names}
    assert found.tuned["clips"] == {"training": ["c"], "validation": ["a"], "test": ["b"]}
    assert found.tuned["validation"].keys() == found.tuned["test"].keys() == {"default", "preset"}
    assert sum(found.tuned["trials"].values()) >= 3
    given = f"codecsim tune {plan} --clips {clips[0]} --test-clips {clips[0]} --trials 3"
    assert found.tuned["command"] == given
    assert (found.tuned["sources"], found.tuned["seed"], found.tuned["sampler"]) == (sources_digest(), 1, "tpe")

    clip, encoded = clips[1]["a"].path, tmp_path / "a.bin"
    words = ["encode", clip, "-o", encoded, "--qp", "37", "--set", "inter_luma.experts=online", "--settings", preset]
    assert run([*map(str, words), "--json", "--quiet"]) == 0
    result = json.loads(capsys.readouterr().out)
    with Database(database) as kept:
        rows = kept.curve(sources_digest(), clips[1]["a"].sha256, _preset_config(plan, found))
    assert [row["bits"] for row in rows if row["qp"] == 37] == [result["file_bits"]]

    words = ["tune", plan, "--clips", clips[0], "--preset", preset, "--database", database]
    assert run([*map(str, words), "--json", "--quiet"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["preset"]["tuned"]["validation"] == found.tuned["validation"]
    assert "trials" not in measured
    assert measured["preset"]["tuned"]["command"] == given
    assert measured["preset"]["tuned"]["measured_with"] == f"codecsim tune {plan} --clips {clips[0]} --preset {preset}"


def _preset_config(plan, preset):
    return read_plan(plan).encoder_config(preset.settings, 27, 3)


def test_the_command_says_what_is_missing(tmp_path, clips, capsys):
    plan = write_plan(tmp_path)
    assert run(["tune", str(plan), "--database", str(tmp_path / "t.sqlite")]) == 2
    assert "the plan's validation clips are a: say --clips FOLDER" in capsys.readouterr().err
    assert run(["tune", str(tmp_path / "none.toml")]) == 2
    assert "cannot be read" in capsys.readouterr().err
