"""A whole search: reference and default, trials, the preset, and its figures on validation and test clips."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import NamedTuple

from codecsim.errors import CodecError, ConfigError
from codecsim.experiments.database import Database, sources_digest
from codecsim.experiments.jobs import find_clips
from codecsim.experiments.runs import plain
from codecsim.experiments.tables import RATE_NOTE, Table
from codecsim.experiments.tuning.outcome import (
    ArmFigures,
    Runner,
    check_separation,
    figures_tables,
    make_preset,
    measure_arm,
    preset_text,
    provenance_of,
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
from codecsim.learned.learner_presets import LearnerPreset


class TuneSettings(NamedTuple):
    """How a search is carried out."""

    clips: str | None  # folder
    test_clips: str | None  # folder
    trials: int
    seconds: float | None
    jobs: int
    storage: str  # URL
    database: str  # path
    trial: int | None = None  # of the preset; None: the best


@dataclasses.dataclass(frozen=True)
class TuneResult:
    """What a search found."""

    preset: LearnerPreset
    trials: Table
    figures: Mapping[str, Mapping[str, ArmFigures]]  # by purpose of the clips, then by arm

    def lines(self) -> list[str]:
        """The tables as Markdown, and the preset."""
        tables = [self.trials]
        for purpose, arms in self.figures.items():
            tables += figures_tables(f"{purpose.capitalize()} clips", arms)
        found = [RATE_NOTE]
        for table in tables:
            found += ["", f"**{table.title}**", "", *table.markdown()]
        return [*found, "", "**The preset**", "", *preset_text(self.preset).splitlines()]

    def plain(self) -> dict:
        """The result for JSON: preset with provenance, and the best trials."""
        names = [column.name for column in self.trials.columns]
        trials = [dict(zip(names, row.values, strict=True)) for row in self.trials.rows]
        return {"preset": plain(self.preset), "trials": trials}

    def write(self, path: str) -> None:
        """Write the preset's file."""
        write_preset(self.preset, path)


def tune(plan: Plan, settings: TuneSettings, say: Callable[[str], None]) -> TuneResult:
    """Search, and measure what was found.

    Parameters
    ----------
    say : takes a line of progress

    Raises
    ------
    CodecError : clips that are missing or serve two purposes, a storage that cannot be opened, no finished trial
    """
    sources = sources_digest()
    clips = tuple(find_clips(settings.clips, plan.validation if settings.clips else None))
    if not settings.clips and [clip.name for clip in clips] != list(plan.validation):
        raise ConfigError(f"the plan's validation clips are {', '.join(plan.validation)}: say --clips FOLDER")
    test = tuple(find_clips(settings.test_clips, plan.test or None)) if settings.test_clips else ()
    check_separation(clips, test, plan.training)
    with Database(settings.database) as kept:
        kept.add_version(sources)
    runner = Runner(settings.database, sources, settings.jobs)
    default = plan.default_arm()

    def default_config(qp, frames):
        return default.encoder_config(plan.config, qp, frames)

    validation = {"default": measure_arm(plan, clips, default_config, "default", runner)}
    limit = None
    if plan.training_at_most is not None:
        limit = plan.training_at_most * validation["default"].training
        if not limit:
            raise CodecError("training_at_most is a share of the default's training, but the default does not train")
    search = Search(plan, clips, settings.database, settings.storage, sources, limit)
    say(f"study {search.study_name}, default: BD-rate {validation['default'].bd_rate:+.3f} %, "
        f"training {validation['default'].training:.2f} kMAC/pixel")  # fmt: skip
    run_trials(search, settings.trials, settings.seconds, settings.jobs, say)
    study = open_study(search)
    trials = finished_trials(study, limit)
    chosen = choose_trial(trials, settings.trial)
    if limit is not None and chosen.user_attrs[TRAINING] > limit:
        say(f"no trial keeps to {limit:.2f} kMAC/pixel of training; trial {chosen.number} comes nearest")

    def preset_config(qp, frames):
        return plan.encoder_config(plan.settings(chosen.params), qp, frames)

    say(f"trial {chosen.number} with BD-rate {chosen.user_attrs[BD_RATE]:+.3f} %: coding and decoding it whole")
    validation["preset"] = measure_arm(plan, clips, preset_config, "preset", runner)
    figures = {"validation": validation}
    if test:
        makers = {"default": default_config, "preset": preset_config}
        figures["test"] = {name: measure_arm(plan, test, make, name, runner) for name, make in makers.items()}
    counts = {}
    for trial in study.trials:
        counts[trial.state.name.lower()] = counts.get(trial.state.name.lower(), 0) + 1
    preset = make_preset(plan, chosen, provenance_of(plan, chosen, counts, figures))
    return TuneResult(preset, trials_table(plan, trials, limit), figures)
