"""What a report is about: the curves of an experiment's arms, clip by clip, and what is missing of them."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from codecsim.codec.config import CONFIGS
from codecsim.errors import ConfigError, FormatError
from codecsim.experiments.compare import METRICS, common_metrics, lacking
from codecsim.experiments.curves import Curve, curve_of_runs
from codecsim.experiments.database import Database

MOST_ARMS = 24  # that a report compares when none are named: more cannot be told apart
NO_EXPERIMENT = (
    "The file holds no experiment: each set of settings found in it counts as an arm, so runs that were never made "
    "are not missed."
)


@dataclasses.dataclass(frozen=True)
class Arm:
    """A set of encoder settings."""

    name: str
    options: str  # as given, or the settings that differ from the defaults


@dataclasses.dataclass(frozen=True)
class Study:
    """Curves of all arms, by configuration, clip and name of the arm; clips and arms are in the same order everywhere.

    A curve holds those QPs that there are; where there are none the arm is left out.
    """

    title: str
    definition: str | None  # the experiment's file, None where there is none
    arms: tuple[Arm, ...]
    reference: str  # name of the arm that others are compared with
    curves: dict[str, dict[str, dict[str, Curve]]]
    asked: int  # runs
    versions: tuple[str, ...]
    machines: tuple[str, ...]
    software: tuple[str, ...]
    dates: tuple[str, str] | None  # of the first and the last run
    warnings: tuple[str, ...]

    @property
    def runs(self) -> int:
        """Number of runs that there are."""
        curves = [curve for clips in self.curves.values() for arms in clips.values() for curve in arms.values()]
        return sum(len(curve.qps) for curve in curves)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics that all runs have, PSNR first."""
        return common_metrics(_results(self.curves))

    @property
    def tests(self) -> tuple[Arm, ...]:
        """Arms but the reference."""
        return tuple(arm for arm in self.arms if arm.name != self.reference)

    def pairs(self, config: str, arm: str) -> dict[str, tuple[Curve, Curve]]:
        """Reference and arm by clip, for tables; an empty curve where runs are missing, {} where the arm has none."""
        none = Curve((), ())
        clips = {c: arms for c, arms in self.curves[config].items() if self.definition is not None or arm in arms}
        found = {clip: (arms.get(self.reference, none), arms.get(arm, none)) for clip, arms in clips.items()}
        return found if any(test.qps for _, test in found.values()) else {}


@dataclasses.dataclass(frozen=True)
class Selection:
    """What of a database to report on; None and () leave the choice to what is there."""

    experiment: str | None = None
    version: str | None = None  # label or first digits, where there is no experiment
    reference: str | None = None
    arms: tuple[str, ...] = ()


def read_study(path: str | os.PathLike, selection: Selection = Selection()) -> Study:
    """Read an experiment, or all runs of a file that holds none.

    Parameters
    ----------
    path : of a database of runs
    selection : Selection

    Raises
    ------
    FormatError : there is no such file, it is no database of runs, or it holds none of the runs asked for
    ConfigError : no such experiment, version or arm
    """
    if not pathlib.Path(path).is_file():
        raise FormatError(f"{path}: there is no such file")
    with Database(path) as kept:
        names = kept.experiments()
        if names and selection.version is None:
            return _of_experiment(path, kept, names, selection)
        return _of_all_runs(path, kept, selection)


def _of_experiment(path: str | os.PathLike, kept: Database, names: Sequence[str], selection: Selection) -> Study:
    experiment = kept.experiment(selection.experiment or names[0])
    others = [name for name in names if name != experiment.name]
    warnings = [f"The file also holds: {', '.join(others)}; --experiment NAME reports on them."] if others else []
    cells: list[Any] = []
    missing: dict[Any, Any] = {}
    for cell in experiment.cells:
        row = kept.find(cell.key)
        if row is None:
            missing.setdefault((cell.arm, cell.config, cell.clip), []).append(cell.qp)
        else:
            cells.append((cell.config, (cell.clip, cell.clip_sha256, cell.frames), cell.arm, row))
    for (arm, config, clip), qps in missing.items():
        warnings.append(f"Missing: {arm}, {config}, {clip}, QP {', '.join(map(str, sorted(qps)))}.")
    arms = [Arm(name, options) for name, options in experiment.arms.items()]
    study = _assemble(path, kept, cells, arms, selection.reference or experiment.reference, selection.arms, warnings)
    asked = sum(cell.arm in {arm.name for arm in study.arms} for cell in experiment.cells)
    return dataclasses.replace(study, title=experiment.name, definition=experiment.definition, asked=asked)


def _of_all_runs(path: str | os.PathLike, kept: Database, selection: Selection) -> Study:
    if selection.experiment is not None:
        kept.experiment(selection.experiment)  # says which there are
    rows, warnings = kept.runs(kept.version(selection.version) if selection.version else None), [NO_EXPERIMENT]
    if not rows:
        raise FormatError(f"{path}: holds no runs")
    versions = list(dict.fromkeys(row["sources"] for row in rows))
    if len(versions) > 1:
        latest = max(rows, key=lambda row: row["date"])["sources"]
        rows = [row for row in rows if row["sources"] == latest]
        left = ", ".join(version for version in versions if version != latest)
        warnings.append(f"Only the version with the latest run; --version NAME reports on {left}.")
    names = {text: _name_of_settings(json.loads(text)) for text in dict.fromkeys(row["settings"] for row in rows)}
    cells = [
        (row["config"], (row["clip"], row["clip_sha256"], row["frames_asked"]), names[row["settings"]], row)
        for row in rows
    ]
    arms = [Arm(name, "" if text == "{}" else text) for text, name in names.items()]
    reference = selection.reference or _plainest(cells, names)
    return _assemble(path, kept, cells, arms, reference, selection.arms, warnings)


def _name_of_settings(settings: Mapping[str, Any]) -> str:
    """Settings that differ from the defaults as a name."""
    words = []
    for name, value in sorted(settings.items(), key=lambda item: isinstance(item[1], dict)):
        if isinstance(value, dict):
            words += [f"{key}={_word(found)}" for key, found in value.items()]
        else:
            words.append(name if value is True else f"{name}={_word(value)}")
    return ", ".join(words) or "defaults"


def _word(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _plainest(cells: Sequence[tuple[str, tuple[str, str, int], str, Any]], names: Mapping[str, str]) -> str:
    """Arm without the filter and all else by default, or the one with the most runs."""
    counts: dict[Any, Any] = {}
    for cell in cells:
        counts[cell[2]] = counts.get(cell[2], 0) + 1
    return names.get('{"filter":"off"}') or max(counts, key=lambda name: counts[name], default="")


def _assemble(
    path: str | os.PathLike,
    kept: Database,
    cells: Sequence[tuple[str, tuple[str, str, int], str, Any]],
    arms: Sequence[Arm],
    reference: str,
    chosen: tuple[str, ...],
    warnings: list[str],
) -> Study:
    """Study of cells: (configuration, (clip, sha256, pictures asked for), arm, row)."""
    arms = _choose_arms(arms, reference, chosen, warnings, cells)
    names = {arm.name for arm in arms}
    cells = [cell for cell in cells if cell[2] in names]
    if not cells:
        raise FormatError(f"{path}: holds no runs of what was asked for")
    labels = _clip_labels({(config, clip) for config, clip, _, _ in cells})
    rows: dict[Any, Any] = {}
    for config, clip, arm, row in cells:
        rows.setdefault((config, labels[config, clip], arm), []).append(row)
    curves = {}
    for config in sorted({key[0] for key in rows}, key=CONFIGS.index):
        clips = sorted({clip for found, clip, _ in rows if found == config})
        curves[config] = {
            clip: {
                arm.name: curve_of_runs(sorted(rows[config, clip, arm.name], key=lambda row: row["qp"]))
                for arm in arms
                if (config, clip, arm.name) in rows
            }
            for clip in clips
        }
    warnings += _partly_measured(curves)
    used = [row for _, _, _, row in cells]
    dates = sorted(row["date"] for row in used)
    return Study(
        pathlib.Path(path).stem,
        None,
        tuple(arms),
        reference,
        curves,
        len(used),
        _versions(kept, used),
        tuple(sorted({row["machine"] for row in used})),
        tuple(sorted({row["software"] for row in used})),
        (dates[0], dates[-1]),
        tuple(warnings),
    )


def _results(curves: Mapping[str, Mapping[str, Mapping[str, Curve]]]) -> list[dict[str, Any]]:
    """All results of the encoder."""
    found = [curve for clips in curves.values() for arms in clips.values() for curve in arms.values()]
    return [result for curve in found for result in curve.encoded]


def _partly_measured(curves: Mapping[str, Mapping[str, Mapping[str, Curve]]]) -> list[str]:
    """What to say of metrics that only some of the runs have."""
    results = _results(curves)
    counts = {name: sum(not lacking(result, [name]) for result in results) for name in METRICS}
    return [
        f"{METRICS[name].title} is left out: {count} of {len(results)} runs have it."
        for name, count in counts.items()
        if 0 < count < len(results)
    ]


def _choose_arms(
    arms: Sequence[Arm],
    reference: str,
    chosen: Iterable[str],
    warnings: list[str],
    cells: Sequence[tuple[str, tuple[str, str, int], str, Any]],
) -> list[Arm]:
    """The reference first, then the arms asked for, or all."""
    names = [arm.name for arm in arms]
    for name in (reference, *chosen):
        if name not in names:
            raise ConfigError(f"no arm {name!r}; there are: {'; '.join(names)}")
    others = [name for name in (chosen or names) if name != reference]
    if len(others) > MOST_ARMS - 1 and not chosen:
        counts = {name: sum(cell[2] == name for cell in cells) for name in others}
        most = sorted(others, key=lambda name: counts[name], reverse=True)[: MOST_ARMS - 1]
        warnings.append(
            f"{len(others) + 1} arms are too many for one report: those with the most runs are shown; "
            "--arm NAME chooses others."
        )
        others = [name for name in others if name in most]
    by_name = {arm.name: arm for arm in arms}
    return [by_name[name] for name in (reference, *others)]


def _clip_labels(clips: set[tuple[str, tuple[str, str, int]]]) -> dict[tuple[str, tuple[str, str, int]], str]:
    """Labels by configuration and (clip, sha256, pictures): the name, and what tells it from others of that name."""
    labels = {}
    for config, clip in clips:
        name, sha256, frames = clip
        alike = [other for found, other in clips if found == config and other[0] == name]
        label = name
        if len({other[1] for other in alike}) > 1:
            label += f" {sha256[:6]}"
        if len({other[2] for other in alike if other[1] == sha256}) > 1:
            label += f", {frames} pictures"
        labels[config, clip] = label
    return labels


def _versions(kept: Database, rows: Sequence[Any]) -> tuple[str, ...]:
    """Texts that say which versions made rows."""
    used = {row["sources"] for row in rows}
    found = [row for row in kept.versions() if row["sources"] in used]
    return tuple(
        f"codecsim {row['version']}, sources {row['sources']}" + (f" ({row['label']})" if row["label"] else "")
        for row in found
    )
