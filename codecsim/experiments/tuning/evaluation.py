"""What settings are worth: encodings of the validation clips against the reference's, from the database where kept."""

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from codecsim.codec.config import EncoderConfig
from codecsim.errors import CodecError
from codecsim.experiments.bdrate import bd_rate
from codecsim.experiments.clips import Clip
from codecsim.experiments.compare import coded_bits
from codecsim.experiments.database import Database, run_key
from codecsim.experiments.machine import processor, software
from codecsim.experiments.runs import encode_video, plain
from codecsim.experiments.tuning.plan import Plan
from codecsim.experiments.work import Done, Job
from codecsim.formats.video import open_video

PEAK = 255.0 * 255.0  # squared error is that of 8 bits, whatever the depth: only ratios matter


class Cell(NamedTuple):
    """One encoding of a trial."""

    clip: Clip
    qp: int


@dataclasses.dataclass(frozen=True)
class Measured:
    """What settings are worth."""

    bd_rate: float  # luma, percent, mean of the clips
    training: float  # kMAC a luma sample, mean of all encodings
    by_clip: Mapping[str, float]  # BD-rate


def trial_cells(plan: Plan, clips: tuple[Clip, ...]) -> list[Cell]:
    """Encodings of a trial in order: each round has every clip once, at QPs that differ, so that rounds are alike."""
    return [
        Cell(clip, plan.qps[(k + turn) % len(plan.qps)])
        for turn in range(len(plan.qps))
        for k, clip in enumerate(clips)
    ]


def arm_jobs(plan: Plan, clips: tuple[Clip, ...], make_config: Callable, name: str) -> list[Job]:
    """Jobs of an arm; `make_config` gives the settings from a QP and a number of pictures."""
    return [Job(clip, make_config(qp, frames_of(plan, clip)), name) for clip in clips for qp in plan.qps]


def frames_of(plan: Plan, clip: Clip) -> int:
    """Pictures to code of a clip."""
    return min(plan.frames, clip.frames)


def picture_costs(pictures: Iterable[Mapping[str, Any]], qp: int, samples: int) -> list[float]:
    """Rate-distortion cost of each picture: squared error of luma plus lambda times bits without hashes.

    Lambda is that of an intra picture of the base QP: what pruning compares is of the same pictures.

    Parameters
    ----------
    pictures : results of the pictures, in coding order
    samples : of luma in a picture
    """
    lam = 0.57 * 2.0 ** ((qp - 12) / 3.0)
    return [samples * PEAK / 10 ** (picture["psnr_y"] / 10) + lam * picture["bits"] for picture in pictures]


class Evaluator:
    """Measures settings on the validation clips.

    Parameters
    ----------
    plan : Plan
    clips : of the validation
    database : path; the reference's runs are there
    sources : digest of this version

    Raises
    ------
    CodecError : a run of the reference is missing
    """

    def __init__(self, plan: Plan, clips: tuple[Clip, ...], database: str, sources: str):
        self._plan, self._clips, self._database, self._sources = plan, clips, database, sources
        self._reference = {}
        arm = plan.reference_arm()
        with Database(database) as kept:
            for cell in trial_cells(plan, clips):
                config = arm.encoder_config(plan.config, cell.qp, frames_of(plan, cell.clip))
                row = kept.find(run_key(config, cell.clip.sha256, sources))
                if row is None:
                    raise CodecError(f"the reference has no run of {cell.clip.name} at QP {cell.qp}")
                self._reference[cell] = json.loads(row["result"])

    def measure(self, settings: Mapping, report: Callable = lambda step, cost: None) -> Measured:
        """Code all cells with settings.

        Parameters
        ----------
        settings : by full name, as `Plan.settings` gives them
        report : called after each picture with the number of pictures so far, and with how many percent their
            rate-distortion cost is above the reference's, mean over the cells begun; what it raises ends the trial
        """
        results: dict[Any, Any] = {}
        finished: list[Any] = []
        steps = 0
        for cell in trial_cells(self._plan, self._clips):
            reference = self._reference[cell]
            samples = reference["width"] * reference["height"]
            wanted = iter(picture_costs(reference["pictures"], cell.qp, samples))
            sums = [0.0, 0.0]

            def watch(
                picture: Mapping[str, Any],
                cell: Cell = cell,
                samples: int = samples,
                wanted: Iterator[float] = wanted,
                sums: list[float] = sums,
            ) -> None:
                nonlocal steps
                steps += 1
                sums[0] += next(wanted)
                sums[1] += picture_costs([picture], cell.qp, samples)[0]
                costs = [*finished, 100 * (sums[1] / sums[0] - 1)]
                report(steps, sum(costs) / len(costs))

            results[cell] = self._result(cell, settings, watch)
            finished.append(100 * (sums[1] / sums[0] - 1))
        return self._summary(results)

    def _result(
        self, cell: Cell, settings: Mapping[str, Any], watch: Callable[[Mapping[str, Any]], None]
    ) -> dict[str, Any]:
        """Result of one encoding, kept or made."""
        config = self._plan.encoder_config(settings, cell.qp, frames_of(self._plan, cell.clip))
        key = run_key(config, cell.clip.sha256, self._sources)
        with Database(self._database) as kept:
            row = kept.find(key)
            if row is not None:
                result = json.loads(row["result"])
                for picture in result["pictures"]:
                    watch(picture)
                return result
            done = _encode(cell.clip, config, watch)
            kept.add(key, cell.clip, config, self._sources, done)
            return done.result

    def _summary(self, results: Mapping[Cell, Mapping[str, Any]]) -> Measured:
        by_clip = {}
        for clip in self._clips:
            reference, test = (
                [(coded_bits(runs[cell]), runs[cell]["psnr_y"]) for cell in runs if cell.clip == clip]
                for runs in (self._reference, results)
            )
            found = bd_rate(reference, test)
            if found.percent is None:
                raise CodecError(f"{clip.name}: no BD-rate: {'; '.join(found.warnings)}")
            by_clip[clip.name] = found.percent
        training = [result["kmac_per_pixel"]["training"] for result in results.values() if "kmac_per_pixel" in result]
        return Measured(sum(by_clip.values()) / len(by_clip), sum(training) / len(results), by_clip)


def _encode(clip: Clip, config: EncoderConfig, watch: Callable[[Mapping[str, Any]], None]) -> Done:
    """Encode without a stream; what `watch` raises ends it."""
    started = time.monotonic()
    with open_video(clip.path) as video:
        result = encode_video(video, config, os.devnull, on_picture=lambda report: watch(plain(report)))
    return Done(result, None, time.monotonic() - started, processor(), software())
