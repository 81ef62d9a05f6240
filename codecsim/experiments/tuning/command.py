"""A whole search: reference and default, trials, the preset, and its figures on validation and test clips."""

import dataclasses
import os
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from codecsim.codec.config import EncoderConfig
from codecsim.errors import CodecError, ConfigError
from codecsim.experiments.clips import Clip, find_clips
from codecsim.experiments.database import Database, sources_digest
from codecsim.experiments.runs import plain
from codecsim.experiments.settings_files import SettingsFile, load_settings
from codecsim.experiments.tables import RATE_NOTE, Table
from codecsim.experiments.tuning.outcome import (
    ArmFigures,
    Runner,
    check_separation,
    figures_tables,
    make_preset,
    measure_arm,
    measured_on,
    preset_text,
    trials_table,
    write_preset,
)
from codecsim.experiments.tuning.plan import Plan
from codecsim.experiments.tuning.study import (
    BD_RATE,
    TRAINING,
    Search,
    choose_trial,
    finished_trials,
    open_study,
    run_trials,
)


@dataclasses.dataclass(frozen=True)
class TuneSettings:
    """How a search is carried out: the options of `codecsim tune`."""

    clips: str | None = None  # folder
    test_clips: str | None = None  # folder
    trials: int = 50
    timeout: float | None = None  # seconds
    jobs: int = 1
    storage: str | None = None  # URL; None: the file of runs
    database: str = "build/tune.sqlite"  # path of the file of runs
    trial: int | None = None  # of the preset; None: the best
    preset: str | None = None  # to measure, instead of a search

    @property
    def storage_url(self) -> str:
        """Where trials are kept."""
        return self.storage or f"sqlite:///{os.path.abspath(self.database)}"

    def command(self, plan: Plan) -> str:
        """The command as it is typed in a shell, without what only says where results are kept and how many at a time.

        A storage's URL may hold a password.
        """
        options: dict[str, Any] = {"--clips": self.clips, "--test-clips": self.test_clips}
        if self.preset is None:
            options |= {"--trials": self.trials, "--timeout": self.timeout, "--trial": self.trial}
        else:
            options |= {"--preset": self.preset}
        words = [word for name, value in options.items() if value is not None for word in (name, str(value))]
        return shlex.join(["codecsim", "tune", plan.path, *words])


@dataclasses.dataclass(frozen=True)
class TuneResult:
    """What a search found."""

    preset: SettingsFile
    trials: Table | None  # None: there was no search
    figures: Mapping[str, Mapping[str, ArmFigures]]  # by purpose of the clips, then by arm

    def lines(self) -> list[str]:
        """The tables as Markdown, and the preset."""
        tables = [self.trials] if self.trials else []
        for purpose, arms in self.figures.items():
            tables += figures_tables(f"{purpose.capitalize()} clips", arms)
        found = [RATE_NOTE]
        for table in tables:
            found += ["", f"**{table.title}**", "", *table.markdown()]
        return [*found, "", "**The preset**", "", *preset_text(self.preset).splitlines()]

    def plain(self) -> dict:
        """The result for JSON: preset with provenance, and the best trials."""
        found = {"preset": plain(self.preset)}
        if self.trials:
            names = [column.name for column in self.trials.columns]
            found["trials"] = [dict(zip(names, row.values, strict=True)) for row in self.trials.rows]
        return found

    def write(self, path: str) -> None:
        """Write the preset's file."""
        write_preset(self.preset, path)


def tune(plan: Plan, settings: TuneSettings, say: Callable[[str], None]) -> TuneResult:
    """Search, or take a preset as it is, and measure what was found.

    Parameters
    ----------
    say : takes a line of progress

    Raises
    ------
    CodecError : clips that are missing or serve two purposes, a storage that cannot be opened, no finished trial
    """
    clips, test = _find_clips(plan, settings)
    runner = Runner(settings.database, sources_digest(), settings.jobs)
    with Database(settings.database) as kept:
        kept.add_version(runner.sources)
    default = plan.default_arm()

    def default_config(qp: int, frames: int) -> EncoderConfig:
        return default.encoder_config(plan.config, qp, frames)

    def preset_config(qp: int, frames: int) -> EncoderConfig:
        return plan.encoder_config(preset.settings, qp, frames)

    makers = {"default": default_config, "preset": preset_config}
    usual = measure_arm(plan, clips, default_config, "default", runner)
    if settings.preset is None:
        preset, trials = _search(plan, settings, clips, usual, runner, say)
    else:
        preset, trials = load_settings(settings.preset), None
        preset = dataclasses.replace(preset, tuned={**preset.tuned, "measured_with": settings.command(plan)})
    figures = {"validation": {"default": usual, "preset": measure_arm(plan, clips, preset_config, "preset", runner)}}
    if test:
        figures["test"] = {name: measure_arm(plan, test, make, name, runner) for name, make in makers.items()}
    preset = dataclasses.replace(preset, tuned={**preset.tuned, **measured_on(plan, figures, runner.sources)})
    return TuneResult(preset, trials, figures)


def _find_clips(plan: Plan, settings: TuneSettings) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Clips of the validation, and of the test where it is asked for."""
    clips = tuple(find_clips(settings.clips, plan.validation if settings.clips else None))
    if not settings.clips and [clip.name for clip in clips] != list(plan.validation):
        raise ConfigError(f"the plan's validation clips are {', '.join(plan.validation)}: say --clips FOLDER")
    test = tuple(find_clips(settings.test_clips, plan.test or None)) if settings.test_clips else ()
    check_separation(clips, test, plan.training)
    return clips, test


def _search(
    plan: Plan,
    settings: TuneSettings,
    clips: tuple[Clip, ...],
    usual: ArmFigures,
    runner: Runner,
    say: Callable[..., Any],
) -> tuple[Any, Table]:
    """The preset of the best trial, and the table of trials; `usual`: ArmFigures of the default."""
    limit = None
    if plan.training_at_most is not None:
        limit = plan.training_at_most * usual.training
        if not limit:
            raise CodecError("training_at_most is a share of the default's training, but the default does not train")
    search = Search(plan, clips, settings.database, settings.storage_url, runner.sources, limit)
    found = f"BD-rate {usual.bd_rate:+.3f} %, training {usual.training:.2f} kMAC/pixel"
    say(f"study {search.study_name}, default: {found}")
    run_trials(search, settings.trials, settings.timeout, settings.jobs, say)
    study = open_study(search)
    trials = finished_trials(study, limit)
    chosen = choose_trial(trials, settings.trial)
    if limit is not None and chosen.user_attrs[TRAINING] > limit:
        say(f"no trial keeps to {limit:.2f} kMAC/pixel of training; trial {chosen.number} comes nearest")
    say(f"trial {chosen.number} with BD-rate {chosen.user_attrs[BD_RATE]:+.3f} %: coding and decoding it whole")
    return make_preset(plan, chosen, study.trials, settings.command(plan)), trials_table(plan, trials, limit)
