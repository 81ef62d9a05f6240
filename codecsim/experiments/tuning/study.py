"""The search itself: Optuna's trials over a plan, in one process or several, kept in a database that all share."""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import joblib
import numpy as np
import optuna

from codecsim.errors import CodecError, ConfigError
from codecsim.experiments.clips import Clip
from codecsim.experiments.database import canonical
from codecsim.experiments.runs import plain
from codecsim.experiments.tuning.evaluation import Evaluator, frames_of
from codecsim.experiments.tuning.plan import Plan
from codecsim.experiments.tuning.space import default_point

TRAINING, BD_RATE = "training", "bd_rate"  # what a trial keeps beside its values
STARTUP = 10  # trials at random before the sampler learns from them


class Search(NamedTuple):
    """What the trials of a study need to know; processes are handed it whole."""

    plan: Plan
    clips: tuple[Clip, ...]  # of the validation
    database: str  # path, of runs
    storage: str  # URL, of trials
    sources: str  # digest of this version
    training_limit: float | None  # kMAC/pixel

    @property
    def study_name(self) -> str:
        """The plan's name, with a digest of all that decides what a trial's values are: others are another study's."""
        plan = self.plan
        decides = [
            self.sources,
            [[clip.sha256, frames_of(plan, clip)] for clip in self.clips],
            [plan.config, list(plan.qps), plan.options, plan.reference, plan.objective, self.training_limit],
            plain(plan.fixed),
            plain(plan.dimensions),
        ]
        return f"{plan.name}-{hashlib.sha256(canonical(decides).encode()).hexdigest()[:8]}"


def open_study(search: Search, worker: int = 0) -> optuna.Study:
    """The study of a search, made if it is not there; the first one to open it asks for the starting points.

    Raises
    ------
    ConfigError : the storage cannot be opened
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    plan = search.plan
    prunes = plan.prune and not plan.multi_objective
    warm_up = sum(frames_of(plan, clip) for clip in search.clips)  # the first round: each clip once
    pruner = optuna.pruners.MedianPruner(5, warm_up) if prunes else optuna.pruners.NopPruner()
    try:
        study = optuna.create_study(
            storage=search.storage,
            study_name=search.study_name,
            directions=["minimize"] * (1 + plan.multi_objective),
            pruner=pruner,
            load_if_exists=True,
        )
    except Exception as error:  # what can go wrong is the business of SQLAlchemy and of the database's driver
        raise ConfigError(f"storage {search.storage}: cannot be opened ({error})") from error
    if worker == 0 and not study.trials:
        for start in ({}, *plan.starts):
            study.enqueue_trial(default_point(plan.dimensions, start), skip_if_exists=True)
    study.sampler = _make_sampler(plan, worker, len(study.get_trials(deepcopy=False)))
    return study


def _make_sampler(plan: Plan, worker: int, trials: int) -> optuna.samplers.BaseSampler:
    """The sampler of a process that finds so many trials: an equal seed would make the points of an earlier one again.

    Trials that were not finished count, so that a search that failed at a point does not go on with it.
    """
    seed = int(np.random.SeedSequence([plan.seed, worker, trials]).generate_state(1)[0])
    if plan.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if plan.sampler == "nsga2":
        return optuna.samplers.NSGAIISampler(seed=seed, population_size=STARTUP)
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)


def run_trials(search: Search, trials: int, seconds: float | None, processes: int, say: Callable[[str], None]) -> None:
    """Add trials until the study has so many that were finished or pruned, or the time is over.

    Parameters
    ----------
    trials : of the study in all, those of earlier calls included
    seconds : after which no new trial begins, or None
    processes : how many trials at a time on this machine; other machines may work on the same storage
    say : takes a line of progress
    """
    open_study(search)
    if processes == 1:
        _work(search, trials, seconds, 0, say, os.getppid())
        return
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        joblib.Parallel(processes)(
            joblib.delayed(_work)(search, trials, seconds, worker, say, os.getpid()) for worker in range(processes)
        )


def _work(
    search: Search, trials: int, seconds: float | None, worker: int, say: Callable[[str], None], parent: int
) -> None:
    """Trials of one process, until that with the id `parent` is gone."""
    study = open_study(search, worker)
    evaluator = Evaluator(search.plan, search.clips, search.database, search.sources)
    deadline = None if seconds is None else time.monotonic() + seconds

    def objective(trial: optuna.Trial) -> float | tuple[float, ...]:
        for dimension in search.plan.dimensions:
            dimension.suggest(trial)

        def report(step: int, cost: float) -> None:
            trial.report(cost, step)
            if trial.should_prune():
                raise optuna.TrialPruned

        watches = {} if search.plan.multi_objective else {"report": report}
        measured = evaluator.measure(search.plan.settings(trial.params), **watches)
        trial.set_user_attr(BD_RATE, measured.bd_rate)
        trial.set_user_attr(TRAINING, measured.training)
        if search.training_limit is not None:
            trial.set_constraint(TRAINING, measured.training - search.training_limit)  # above 0: not allowed
        return (measured.bd_rate, measured.training) if search.plan.multi_objective else measured.bd_rate

    while _ended(study) < trials and (deadline is None or time.monotonic() < deadline) and os.getppid() == parent:
        trial = study.ask()
        try:
            study.tell(trial, objective(trial))
        except optuna.TrialPruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        except BaseException:
            with contextlib.suppress(Exception):
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            raise
        say(describe_trial(study.trials[trial.number]))


def _ended(study: optuna.Study) -> int:
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return len(study.get_trials(deepcopy=False, states=states))


def describe_trial(trial: optuna.trial.FrozenTrial) -> str:
    """A line about a trial that has ended."""
    if trial.state == optuna.trial.TrialState.PRUNED:
        step = max(trial.intermediate_values, default=0)
        return f"trial {trial.number}: given up after {step} pictures"
    figures = trial.user_attrs
    return f"trial {trial.number}: BD-rate {figures[BD_RATE]:+.3f} %, training {figures[TRAINING]:.2f} kMAC/pixel"


def finished_trials(study: optuna.Study, limit: float | None) -> list[optuna.trial.FrozenTrial]:
    """Trials that were not pruned, the best first: those within the limit of training by BD-rate, then the others."""
    done = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    excess = {trial.number: max(0.0, trial.user_attrs[TRAINING] - limit) if limit else 0.0 for trial in done}
    return sorted(done, key=lambda trial: (excess[trial.number], trial.user_attrs[BD_RATE]))


def is_on_front(trial: optuna.trial.FrozenTrial, trials: Sequence[optuna.trial.FrozenTrial]) -> bool:
    """Whether no other trial has both a lower BD-rate and less training, or one of them and the other the same."""
    own = (trial.user_attrs[BD_RATE], trial.user_attrs[TRAINING])
    others = ((other.user_attrs[BD_RATE], other.user_attrs[TRAINING]) for other in trials)
    return not any(a <= own[0] and b <= own[1] and (a, b) != own for a, b in others)


def choose_trial(trials: Sequence[optuna.trial.FrozenTrial], number: int | None) -> optuna.trial.FrozenTrial:
    """The trial with this number, or the first.

    Raises
    ------
    CodecError : there is none
    """
    found = [trial for trial in trials if number in (None, trial.number)]
    if not found:
        raise CodecError("no trial was finished" if number is None else f"no finished trial has the number {number}")
    return found[0]
