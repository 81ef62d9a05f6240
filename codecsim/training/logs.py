"""What trainings have in common of what they tell."""

import collections
import os
import pathlib
from collections.abc import Sequence
from typing import Any


def tensorboard(folder: str | os.PathLike) -> Any:
    """Writer of TensorBoard's files in `folder`, which is made; or None where TensorBoard is not installed."""
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder)


def count_by_kind(dropped: Sequence[tuple[str, int, str]]) -> dict[str, int]:
    """How many of the dropped samples there are by structure, QP and source.

    Parameters
    ----------
    dropped : list of (config, QP, source)
    """
    found: collections.Counter[Any] = collections.Counter()
    for config, qp, source in dropped:
        found.update((f"config {config}", f"QP {qp}", f"source {source}"))
    return dict(sorted(found.items()))
