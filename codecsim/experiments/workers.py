"""Processes of this machine that do the tasks of a campaign."""

import functools
import os
import threading
import time
from collections.abc import Callable, Iterator

from codecsim.errors import CodecError
from codecsim.experiments.work import Outcome, Task, keep, perform


class LocalWorkers:
    """So many processes of this machine, one thread each.

    Parameters
    ----------
    count : int
    """

    are_local = True

    def __init__(self, count: int):
        self.count = count

    def run(
        self, tasks: list[Task], database: str | os.PathLike, sources: str, decode: bool, starts: Callable[[Task], Task]
    ) -> Iterator[Outcome]:
        """Do the tasks in their order; each worker keeps what it has done itself.

        Parameters
        ----------
        tasks : Task
        database : path
        sources : digest of this version
        decode : bool, also decode and check
        starts : called with each task when it begins

        Yields
        ------
        Outcome, in the order in which tasks end

        Raises
        ------
        CodecError : a process was killed
        """
        import joblib
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        database = os.path.abspath(database)  # the processes may be older than this process's working directory
        parallel = joblib.Parallel(
            self.count, backend="loky", return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1
        )
        with joblib.parallel_config("loky", inner_max_num_threads=1):
            # joblib takes the next task when it starts it: pre_dispatch allows no more than run
            calls = (joblib.delayed(work)(starts(task), database, sources, decode, os.getpid()) for task in tasks)
            try:
                yield from parallel(calls)
            except TerminatedWorkerError as error:
                raise CodecError(
                    f"a process was killed, perhaps for its memory; run again to go on ({error})"
                ) from None


_busy = threading.Lock()  # held while a task is done


def work(task: Task, database: str | os.PathLike, sources: str, decode: bool, campaign: int) -> Outcome:
    """Do a task and keep what it leaves, for the campaign whose process has the id `campaign`.

    What could not be kept is in the outcome, so that the campaign can try once more.
    """
    if os.getpid() != campaign:
        _end_with(campaign)
    with _busy:
        outcome = perform(task, decode)
        return outcome if outcome.done is None else keep(outcome, database, sources)


@functools.cache
def _end_with(campaign: int) -> None:
    """See to it that this process ends with that of the campaign, but not before its running task is kept.

    Left alone, a worker whose campaign was killed waits minutes for more to do.
    """

    def watch() -> None:
        while os.getppid() == campaign:
            time.sleep(0.2)
        with _busy:
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
