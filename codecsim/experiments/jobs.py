"""Running the jobs of a campaign that are not in its database, on whatever workers there are."""

import contextlib
import os
from collections.abc import Iterable, Mapping
from typing import Any

from codecsim.errors import CodecError
from codecsim.experiments.cluster import ClusterWorkers
from codecsim.experiments.compare import lacking
from codecsim.experiments.database import Database
from codecsim.experiments.progress import CampaignProgress
from codecsim.experiments.segments import join, split, why_whole
from codecsim.experiments.warming import compile_all
from codecsim.experiments.work import Done, Job, Outcome, Piece, Task, keep
from codecsim.experiments.workers import LocalWorkers

__all__ = ["Job", "Outcome", "run_all", "to_do"]


def to_do(
    jobs: Iterable[Job], database: str | os.PathLike, sources: str, decode: bool = True
) -> tuple[dict[str, Job], dict[str, Job]]:
    """Jobs by key: all different ones, and those of them that the database does not hold.

    Parameters
    ----------
    jobs : Job
    database : path
    sources : digest of this version
    decode : bool, what was not decoded is to be done again; what an oracle made cannot be

    A run of which not all of its job's metrics were measured is to be done again, too.
    """
    different = {job.key(sources): job for job in jobs}
    with Database(database) as kept:
        missing = {
            key: job
            for key, job in different.items()
            if kept.find(key, decode and job.config.oracle is None, job.metrics) is None
        }
    return different, missing


def run_all(
    jobs: Iterable[Job],
    database: str | os.PathLike,
    sources: str,
    workers: LocalWorkers | ClusterWorkers | int,
    decode: bool = True,
    segments: int = 0,
    quiet: bool = False,
) -> list[Outcome]:
    """Run the jobs that the database does not hold; each is kept as soon as it is done.

    Parameters
    ----------
    jobs : Job; equal ones run once
    database : path
    sources : digest of this version
    workers : LocalWorkers, cluster.ClusterWorkers, or how many processes of this machine
    decode : bool, also decode and check
    segments : int, code a run in at most so many pieces at a time, where its settings have closed groups of pictures
    quiet : bool, no progress on standard error

    Returns
    -------
    Outcomes of what failed
    """
    if isinstance(workers, int):
        workers = LocalWorkers(workers)
    different, missing = to_do(jobs, database, sources, decode)
    with Database(database) as kept:
        tasks, parts = _tasks(missing, kept, segments, decode)
    tasks.sort(key=lambda task: -task.cost)  # the long ones first, so that no core waits for one at the end
    failed = []
    with CampaignProgress(tasks, len(different) - len(missing), workers.count, quiet) as progress:
        if segments > 1:
            progress.note_whole(missing.values(), why_whole)
        if workers.are_local and tasks:
            compile_all([job.config for job in missing.values()], progress.warming)
        for outcome in workers.run(tasks, database, sources, decode, progress.starts):
            if outcome.done is not None:
                outcome = keep(outcome, database, sources)
            if outcome.error:
                failed.append(outcome)
            progress.ends(outcome)
            if outcome.task.piece is not None:
                with contextlib.suppress(CodecError):  # tried again at the end
                    _join_if_whole(outcome.job, parts, database, sources, decode)
        for job in missing.values():  # of which all pieces were there, but were not joined
            try:
                _join_if_whole(job, parts, database, sources, decode)
            except CodecError as error:
                failed.append(Outcome(Task(job), error=str(error)))
    return failed


def _tasks(
    missing: Mapping[str, Job], kept: Database, segments: int, decode: bool
) -> tuple[list[Task], dict[str, list[Piece]]]:
    """Tasks that the missing jobs still need, and the pieces of each job that is done in pieces, by its key."""
    tasks, parts = [], {}
    for key, job in missing.items():
        pieces = split(job.config, segments) if segments > 1 and why_whole(job.config) is None else []
        if len(pieces) > 1:
            parts[key] = pieces
            done = _pieces_done(kept, key, job, decode)
            tasks += [Task(job, piece) for piece in pieces if piece not in done]
        else:
            tasks.append(Task(job))
    return tasks, parts


def _pieces_done(kept: Database, key: str, job: Job, decode: bool) -> dict[tuple[int, int], dict[str, Any]]:
    """What there is of a job's pieces, but for those that were not decoded or measured as they are to be."""
    return {
        piece: left
        for piece, left in kept.pieces(key).items()
        if not (decode and left["decoder_seconds"] is None or lacking(left["result"], job.metrics))
    }


def _join_if_whole(
    job: Job, parts: dict[str, list[Piece]], database: str | os.PathLike, sources: str, decode: bool
) -> None:
    """Make one run of the pieces of a job, once all are there."""
    key = job.key(sources)
    if key not in parts:
        return
    with Database(database) as kept:
        done = _pieces_done(kept, key, job, decode)
        if all(piece in done for piece in parts[key]):
            kept.add(key, job.clip, job.config, sources, join(job, [Done(**done[piece]) for piece in parts[key]]))
            del parts[key]
