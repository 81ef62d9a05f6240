"""Long clips in pieces: closed groups of pictures are coded on their own, and their streams are joined.

At an IDR picture everything starts anew: references, entropy coder, learners (except with reset never), and the
parameter sets are sent again.  So a stream consists of the streams of its pieces, byte by byte, and joining them is
writing one after the other.  Random access has no such places after its first picture: the pictures before a CRA
picture, in output order, are predicted from both sides of it.
"""

import dataclasses
import hashlib

from codecsim.codec.active_tools import resolve_tools
from codecsim.codec.config import EncoderConfig
from codecsim.codec.structure import GOPS
from codecsim.errors import ConfigError
from codecsim.experiments.runs import Times, joined_result
from codecsim.experiments.work import Done, Job, Piece
from codecsim.formats.video import open_video
from codecsim.tools.learner import LearnerSettings, Reset


def why_whole(config: EncoderConfig) -> str | None:
    """Why a run with these settings cannot be coded in pieces; None: it can."""
    if GOPS[config.config].open_period:
        return f"{config.config} has open groups of pictures: those before an intra picture are predicted across it"
    if not config.intra_period:
        return "there is no IDR picture but the first; set --intra-period"
    if config.oracle is not None:
        return "an oracle has no stream"
    for active in resolve_tools(config):
        if isinstance(active.settings, LearnerSettings) and active.settings.reset == Reset.NEVER:
            return f"its learner goes on over IDR pictures; set {active.tool.name}.reset to idr or auto"
    return None


def split(config: EncoderConfig, count: int) -> list[Piece]:
    """Pieces of a run, of equal length as far as IDR pictures allow.

    Parameters
    ----------
    config : EncoderConfig with the number of pictures
    count : int, pieces at most

    Raises
    ------
    ConfigError : these settings have no closed groups of pictures
    """
    reason = why_whole(config)
    if reason:
        raise ConfigError(f"cannot be coded in pieces: {reason}")
    period, frames = config.intra_period, config.frames
    assert period is not None and frames is not None  # of settings that can be coded in pieces
    groups = -(-frames // period)
    count = min(count, groups)
    starts = [groups * k // count * period for k in range(count)]
    return [Piece(first, end - first) for first, end in zip(starts, [*starts[1:], frames], strict=True)]


def join(job: Job, pieces: list[Done]) -> Done:
    """What the job would have left if it had been coded in one; times are the sums of those of the pieces."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece.stream or b"")
    times = Times(*(sum(piece.result[name] for piece in pieces) for name in Times._fields))
    with open_video(job.clip.path) as video:
        result = joined_result(video, job.config, [piece.result for piece in pieces], digest.hexdigest(), times)
    decoded = [piece.decoder_seconds for piece in pieces if piece.decoder_seconds is not None]
    return dataclasses.replace(
        pieces[0],
        result=result,
        decoder_seconds=sum(decoded) if len(decoded) == len(pieces) else None,
        job_seconds=sum(piece.job_seconds for piece in pieces),
        stream=None,
    )
