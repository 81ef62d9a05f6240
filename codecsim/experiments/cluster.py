"""An existing Dask cluster that does the tasks of a campaign."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from codecsim.errors import CodecError, ConfigError
from codecsim.experiments.database import sources_digest
from codecsim.experiments.quality import check_metrics
from codecsim.experiments.work import Outcome, Task, perform
from codecsim.extras import needed

CONNECT_SECONDS = 10
_STARTS = "codecsim-starts"  # topic under which workers tell what they begin


class ClusterWorkers:
    """The workers of a Dask cluster, each of which does one task at a time. Use as a context manager.

    They need this version of codecsim, and the clips: see clips.locate_clip. Results come back to this process.

    Parameters
    ----------
    address : of the scheduler, such as tcp://host:8786

    Raises
    ------
    ConfigError : dask.distributed is not installed, nobody answers there, there are no workers, or a worker has other
        sources
    """

    are_local = False

    def __init__(self, address: str):
        distributed = self._distributed = needed("distributed", "--scheduler")
        self._address = address
        try:
            self._client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ConfigError(f"{address}: no scheduler of Dask answers ({reason})") from None
        try:
            self.count = self._check_workers()
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._client.close()

    def _check_workers(self) -> int:
        """Number of workers, all of which have these sources."""
        try:
            found = self._client.run(sources_digest, on_error="return")
        except OSError as error:
            raise CodecError(f"{self._address}: the scheduler was lost ({error})") from None
        if not found:
            start = f"dask worker {self._address} --nworkers auto"
            raise ConfigError(f"{self._address}: the scheduler has no workers; start some with: {start}")
        own = sources_digest()
        for worker, digest in sorted(found.items()):
            if isinstance(digest, BaseException):
                reason = f"{type(digest).__name__}: {digest}".splitlines()[0]
                raise ConfigError(f"worker {worker}: cannot use codecsim there ({reason})")
            if digest != own:
                raise ConfigError(f"worker {worker}: has version {digest} of codecsim's sources, this process {own}")
        return len(found)

    def _check_metrics(self, tasks: Sequence[Task]) -> None:
        """See to it that every worker can measure what is to be measured.

        Raises
        ------
        ConfigError
        """
        wanted = {(task.job.metrics, task.job.clip.width, task.job.clip.height) for task in tasks if task.job.metrics}
        for metrics, width, height in sorted(wanted):
            found = self._client.run(check_metrics, metrics, width, height, on_error="return")
            for worker, error in sorted(found.items()):
                if error is not None:
                    raise ConfigError(f"worker {worker}: {error}")

    def run(
        self, tasks: list[Task], database: str | os.PathLike, sources: str, decode: bool, starts: Callable[[Task], Task]
    ) -> Iterator[Outcome]:
        """As LocalWorkers.run, except that what tasks leave comes with their outcomes, to be kept here."""
        if not tasks:
            return
        self._check_metrics(tasks)
        by_name = {f"codecsim-{k}": task for k, task in enumerate(tasks)}
        self._client.subscribe_topic(_STARTS, lambda event: starts(by_name[event[1]]) if event[1] in by_name else None)
        futures = {
            self._client.submit(work, task, decode, name, pure=False, priority=-k, retries=0): task
            for k, (name, task) in enumerate(by_name.items())
        }
        try:
            for future in self._distributed.as_completed(futures, loop=self._client.loop):
                task = futures.pop(future)
                if future.status == "finished":
                    yield future.result()
                elif self._client.status != "running":
                    raise CodecError(f"{self._address}: the scheduler was lost; run again to go on")
                else:
                    error = future.exception()
                    yield Outcome(task, error=f"on the cluster: {type(error).__name__}: {error}")
        finally:
            self._client.unsubscribe_topic(_STARTS)
            for future in futures:
                future.cancel()


_busy = threading.Lock()  # held while a task is done: times are taken, and a process has one set of kernels


def work(task: Task, decode: bool, name: str) -> Outcome:
    """Do a task on a worker."""
    import distributed

    with _busy:
        distributed.get_worker().log_event(_STARTS, name)
        return perform(task, decode)
