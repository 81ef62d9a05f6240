"""What a search leaves: a preset with its provenance, and tables of it beside the default."""

import collections
import dataclasses
import datetime
import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tomlkit

import codecsim
from codecsim.codec.config import GROUPS
from codecsim.errors import CodecError, ConfigError
from codecsim.experiments.clips import Clip
from codecsim.experiments.compare import mean_of
from codecsim.experiments.curves import Curve, compare_curves, find_curve
from codecsim.experiments.database import Database
from codecsim.experiments.jobs import run_all
from codecsim.experiments.settings_files import SettingsFile
from codecsim.experiments.tables import Column, Row, Table, comparison_table
from codecsim.experiments.tuning.evaluation import arm_jobs, frames_of
from codecsim.experiments.tuning.plan import Plan
from codecsim.experiments.tuning.study import BD_RATE, TRAINING, is_on_front
from codecsim.formats.output import atomic_output
from codecsim.settings.values import written


class Runner(NamedTuple):
    """Where runs are kept and how many are made at a time."""

    database: str
    sources: str
    processes: int


@dataclasses.dataclass(frozen=True)
class ArmFigures:
    """An arm against the reference on some clips."""

    curves: Mapping[str, tuple[Curve, Curve]]  # reference and arm by clip
    bd_rate: float  # luma, percent, mean of the clips
    training: float  # kMAC a luma sample, mean of all encodings


def measure_arm(plan: Plan, clips: tuple[Clip, ...], make_config: Callable, name: str, runner: Runner) -> ArmFigures:
    """Code the clips with an arm and with the reference, decode and check all, and compare.

    Parameters
    ----------
    make_config : gives the arm's EncoderConfig from a QP and a number of pictures

    Raises
    ------
    CodecError : a run failed, or the curves cannot be compared
    """
    reference = plan.reference_arm()
    makers = {
        "reference": lambda qp, frames: reference.encoder_config(plan.config, qp, frames),
        name: make_config,
    }
    jobs = [job for arm, make in makers.items() for job in arm_jobs(plan, clips, make, arm)]
    failed = run_all(jobs, runner.database, runner.sources, runner.processes)
    if failed:
        raise CodecError(f"{failed[0].job}: {failed[0].error}")
    curves = {}
    with Database(runner.database) as kept:
        for clip in clips:
            first, second = (make(plan.qps[0], frames_of(plan, clip)) for make in makers.values())
            curves[clip.name] = (
                find_curve(kept, runner.sources, clip, first, plan.qps),
                find_curve(kept, runner.sources, clip, second, plan.qps),
            )
    rows = [compare_curves(clip, *pair) for clip, pair in curves.items()]
    broken = [row for row in rows if row.bd_rate["y"] is None]
    if broken:
        raise CodecError(f"{broken[0].clip}: no BD-rate: {'; '.join(broken[0].warnings)}")
    training = [
        result.get("kmac_per_pixel", {"training": 0.0})["training"]
        for _, arm in curves.values()
        for result in arm.encoded
    ]
    mean = mean_of(rows).bd_rate["y"]
    assert mean is not None  # no row is without
    return ArmFigures(curves, mean, sum(training) / len(training))


def check_separation(validation: tuple[Clip, ...], test: tuple[Clip, ...], training: tuple[str, ...]) -> None:
    """No clip may be looked at for two purposes, whatever its name.

    Raises
    ------
    ConfigError
    """
    seen = {clip.sha256: clip for clip in validation}
    for clip in test:
        if clip.sha256 in seen:
            raise ConfigError(f"test clip {clip.name} has the content of validation clip {seen[clip.sha256].name}")
    for clip in (*validation, *test):
        if clip.name in training:
            raise ConfigError(f"clip {clip.name} is one that the initial weights were trained on")


def trials_table(plan: Plan, trials: Sequence[Any], limit: float | None, count: int = 10) -> Table:
    """The best trials, with what they chose; where training is an objective those of the front.

    trials : finished ones, the best first
    """
    shown = [trial for trial in trials if not plan.multi_objective or is_on_front(trial, trials)][:count]
    names = [parameter for dimension in plan.dimensions for parameter in dimension.parameters]
    rows = tuple(
        Row((trial.number, trial.user_attrs[BD_RATE], trial.user_attrs[TRAINING], *map(_short(trial.params), names)))
        for trial in shown
    )
    title = "Trials that none beats in both BD-rate and training" if plan.multi_objective else "The best trials"
    if limit is not None:
        title += f", training up to {limit:.2f} kMAC/pixel first"
    columns = (Column("trial"), Column("BD-rate %", "{:+.3f}"), Column("training kMAC/px", "{:.2f}"))
    return Table(title, (*columns, *map(Column, names)), rows)


def _short(values: Mapping[str, Any]) -> Callable[..., Any]:
    return lambda name: f"{values[name]:.4g}" if isinstance(values[name], float) else str(values[name])


def figures_tables(title: str, arms: Mapping[str, ArmFigures]) -> list[Table]:
    """The table of each arm, and one of their means."""
    tables = [comparison_table(f"{title}: {name} against the reference", arm.curves) for name, arm in arms.items()]
    first = next(iter(arms.values()))
    rows = tuple(
        Row((name, arm.bd_rate, _share(arm.bd_rate, first.bd_rate), arm.training, _share(arm.training, first.training)))
        for name, arm in arms.items()
    )
    columns = (
        Column("arm"),
        Column("BD-rate Y %", "{:+.3f}"),
        Column("of the default's", "{:.0%}"),
        Column("training kMAC/px", "{:.2f}"),
        Column("of the default's", "{:.0%}"),
    )
    return [*tables, Table(f"{title}: means", columns, rows)]


def _share(value: float, whole: float) -> float | None:
    return value / whole if whole else None


def make_preset(plan: Plan, trial: Any, trials: Sequence[Any], command: str) -> SettingsFile:
    """The preset of a finished trial, with what of the search its file says.

    trials : all of the study
    command : that searched, as it was given
    """
    settings = plan.settings(trial.params)
    counts = collections.Counter(other.state.name.lower() for other in trials)
    limit = {} if plan.training_at_most is None else {"training_at_most": plan.training_at_most}
    tuned = {"command": command, "sampler": plan.sampler, "seed": plan.seed}
    tuned |= {"trial": trial.number, "trials": dict(counts), "objective": plan.objective, **limit}
    return SettingsFile(plan.name, plan.description, settings, tuned)


def measured_on(plan: Plan, found: Mapping[str, Mapping[str, ArmFigures]], sources: str) -> dict:
    """What a preset's file says of how it was measured: encodings, clips by purpose, figures.

    found : figures by purpose of the clips (validation, test), then by arm
    sources : digest of this version
    """
    return {
        "date": datetime.date.today().isoformat(),
        "version": codecsim.__version__,
        "sources": sources,
        "config": plan.config,
        "qps": list(plan.qps),
        "frames": plan.frames,
        "options": plan.options,
        "reference": plan.reference,
        "default": plan.default,
        "clips": {
            "training": list(plan.training),
            **{purpose: list(next(iter(arms.values())).curves) for purpose, arms in found.items()},
        },
        **{purpose: {name: _figures(arm) for name, arm in arms.items()} for purpose, arms in found.items()},
    }


def _figures(arm: ArmFigures) -> dict[str, Any]:
    """What a preset's file says of an arm: percent and kMAC/pixel."""
    rates = {clip: compare_curves(clip, *pair).bd_rate["y"] for clip, pair in arm.curves.items()}
    by_clip = {clip: round(rate, 3) for clip, rate in rates.items() if rate is not None}
    return {"bd_rate": round(arm.bd_rate, 3), "training": round(arm.training, 3), "bd_rate_by_clip": by_clip}


def preset_text(preset: SettingsFile) -> str:
    """A preset as `read_settings_file` reads it."""
    document = tomlkit.document()
    document["name"], document["description"] = preset.name, preset.description
    for group in GROUPS:
        own = {name.partition(".")[2]: v for name, v in preset.settings.items() if name.startswith(f"{group}.")}
        if own:
            document[group] = {name: _toml(value) for name, value in own.items()}
    document["tuned"] = {name: _toml(value) for name, value in preset.tuned.items()}
    return tomlkit.dumps(document)


def _toml(value: Mapping[int | str, Any] | Sequence[int] | float | str) -> Any:
    """A mapping in one line, where it holds no others."""
    if isinstance(value, enum.Enum):
        return written(value)
    if not isinstance(value, Mapping):
        return list(value) if isinstance(value, tuple) else value
    if any(isinstance(item, Mapping) for item in value.values()):
        return {name: _toml(item) for name, item in value.items()}
    table = tomlkit.inline_table()
    table.update({str(key): _toml(item) for key, item in value.items()})
    return table


def write_preset(preset: SettingsFile, path: str) -> None:
    """Write a preset's file, whole or not at all.

    Raises
    ------
    FormatError : it cannot be written
    """
    with atomic_output(path) as file:
        file.write(preset_text(preset).encode())
