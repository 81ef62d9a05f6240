"""BD-rates of results, and experiments."""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from codecsim.api.data_frames import data_frame
from codecsim.errors import ConfigError
from codecsim.experiments.bootstrap import LEVEL
from codecsim.experiments.compare import METRICS, ClipComparison, checked_result, read_result
from codecsim.experiments.compare import compare as compare_results

if TYPE_CHECKING:
    import pandas

    from codecsim.experiments.experiment_file import ExperimentFile
    from codecsim.experiments.sweep import Plan
    from codecsim.experiments.work import Outcome


class HasResult(Protocol):
    """`Encoded` and `Decoded`."""

    @property
    def result(self) -> dict[str, Any]:
        """What `--json` prints."""


Result = HasResult | Mapping[str, Any] | str | os.PathLike


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Bits that a test needs more than a reference for the same quality, in percent; negative: fewer.

    Attributes
    ----------
    metric : quality that is compared, such as "psnr"
    clips : a comparison for each clip, then their mean if there are several
    """

    metric: str
    clips: tuple[ClipComparison, ...]

    @property
    def mean(self) -> ClipComparison:
        """Of all clips; of one clip that itself."""
        return self.clips[-1]

    @property
    def y(self) -> float | None:
        """BD-rate of luma in percent, the mean over clips; None where it cannot be computed."""
        return self.mean.bd_rate.get("y")

    @property
    def u(self) -> float | None:
        """BD-rate of U."""
        return self.mean.bd_rate.get("u")

    @property
    def v(self) -> float | None:
        """BD-rate of V."""
        return self.mean.bd_rate.get("v")

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why figures should not be trusted, if so."""
        return tuple(f"{row.clip}: {text}" for row in self.clips for text in row.warnings)

    def to_frame(self) -> "pandas.DataFrame":
        """One row a clip."""
        return data_frame(
            [
                {"clip": row.clip, **row.bd_rate, "encoder_time": row.encoder_time, "decoder_time": row.decoder_time}
                for row in self.clips
            ]
        )


def compare(
    reference: Iterable[Result], test: Iterable[Result], *, metric: str = "psnr", confidence: float = LEVEL
) -> Comparison:
    """BD-rate (PCHIP) of a test against a reference.

    Parameters
    ----------
    reference, test : results of one or more clips, one for each QP, at least four: `Encoded`, what
        `codecsim encode --json` prints as a dict, or the path of a file of that.  Results of the decoder among them
        give ratios of decoding time.
    metric : "psnr", or what was measured beside it: "ssim", "ms-ssim", "vmaf"
    confidence : level of the mean's interval, of three or more clips

    Raises
    ------
    ConfigError : an unknown metric, or something that is no result
    FormatError : no clip is on both sides, or a result lacks the metric
    """
    if metric not in METRICS:
        raise ConfigError(f"metric is {metric!r}; expected one of {', '.join(METRICS)}")
    if not 0.5 <= confidence < 1:
        raise ConfigError(f"confidence is {confidence!r}; expected 0.5 to below 1")
    first, second = (_results(name, results) for name, results in (("reference", reference), ("test", test)))
    return Comparison(metric, tuple(compare_results(first, second, metric, confidence)))


def _results(name: str, results: Iterable[Result]) -> list[dict[str, Any]]:
    if isinstance(results, (str, Mapping)) or not isinstance(results, Iterable):
        raise ConfigError(f"{name} is a {type(results).__name__}; expected a list of results, one for each QP")
    return [_result(result) for result in results]


def _result(result: Result) -> dict[str, Any]:
    if isinstance(result, (str, os.PathLike)):
        return read_result(os.fspath(result))
    found = result if isinstance(result, Mapping) else getattr(result, "result", None)
    if not isinstance(found, Mapping):
        raise ConfigError(f"a result is what encode() returns, a dict or a path; found a {type(result).__name__}")
    return checked_result(dict(found), "a result")


@dataclasses.dataclass(frozen=True)
class Sweep:
    """An experiment that has been run.

    Attributes
    ----------
    plan : what was to be run
    database : path of the file that holds all runs
    failed : runs that failed, with their errors
    """

    plan: "Plan"
    database: str
    failed: tuple["Outcome", ...]

    @property
    def results(self) -> list[dict[str, Any]]:
        """The points that are done, in the experiment's order."""
        from codecsim.experiments.sweep import results

        return results(self.database, self.plan.experiment, self.plan.file.metrics)

    def markdown(self) -> str:
        """Its tables as text."""
        from codecsim.experiments.sweep import markdown

        return markdown(self.database, self.plan.experiment)

    def to_frame(self) -> "pandas.DataFrame":
        """One row a point."""
        return data_frame(self.results)


def sweep(
    experiment: "str | os.PathLike | ExperimentFile",
    *,
    output: str | os.PathLike | None = None,
    workers: Any = None,
    segments: int | None = None,
    quiet: bool = False,
) -> Sweep:
    """Run what is missing of an experiment: clips x QPs x arms.

    Each run is kept in the database as soon as it is done, and is not repeated.

    Parameters
    ----------
    experiment : path of a TOML file (see codecsim/experiments/experiment_file.py), or what `read_experiment` made of it
    output : path of the database; beside the experiment if not given
    workers : runs at a time, the cores if not given; or an open experiments.cluster.ClusterWorkers
    segments : code each run in up to so many pieces at a time, cut at IDR pictures
    quiet : no progress on standard error

    Raises
    ------
    ConfigError : a mistake in the file, with its line
    """
    import pathlib

    from codecsim.experiments.database import sources_digest
    from codecsim.experiments.experiment_file import ExperimentFile, read_experiment
    from codecsim.experiments.sweep import make_plan, run_plan

    if not isinstance(experiment, (str, os.PathLike, ExperimentFile)):
        raise ConfigError(f"an experiment is the path of a TOML file; found a {type(experiment).__name__}")
    file = experiment if isinstance(experiment, ExperimentFile) else read_experiment(experiment)
    if segments is not None:
        file = dataclasses.replace(file, segments=segments)
    if output is None:
        if isinstance(experiment, ExperimentFile):
            raise ConfigError("an experiment without a path needs the path of its database: output=...")
        output = pathlib.Path(experiment).with_suffix(".sqlite")
    plan = make_plan(file, sources_digest())
    failed = run_plan(plan, output, workers or os.cpu_count() or 1, quiet)
    return Sweep(plan, os.fspath(output), tuple(failed))
