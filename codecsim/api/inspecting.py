"""What a stream says about each picture and each block, as arrays and as tables."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from codecsim.api.data_frames import reports_frame, units_frame
from codecsim.api.own_filters import own_makers
from codecsim.api.sources import Source, open_source
from codecsim.api.video import Video, checked_video
from codecsim.errors import ConfigError
from codecsim.inspection.stream import InspectedPicture, inspect_stream

if TYPE_CHECKING:
    import pandas

UNITS = ("coding", "prediction", "transform")


class Picture(InspectedPicture):
    """One picture of a stream, in output order.

    Attributes
    ----------
    index, coding_index : place in output order and in coding order
    frame : Frame (y, u, v): what is output
    source : the original as a Frame, None where none was given
    report : PictureReport: type, QP, bits and their parts, what the tools did; PSNR where there is an original
    data : inspection.PictureData: planes `prediction`, `filtered_prediction`, `unfiltered`, `reconstruction` of the
        coded size; `residual()`; choices of blocks; `coding_units()`, `prediction_units()`, `transform_units()` as
        structured arrays
    """

    def to_frame(self, units: str = "coding") -> "pandas.DataFrame":
        """One row a block.

        Parameters
        ----------
        units : "coding", "prediction" or "transform"

        Raises
        ------
        ConfigError : other units, or there is no pandas
        """
        if units not in UNITS:
            raise ConfigError(f"units is {units!r}; expected one of {', '.join(UNITS)}")
        return units_frame(getattr(self.data, f"{units}_units")())


class Inspection:
    """Pictures of a stream, in output order: iterate over it.  Each time the stream is decoded again."""

    def __init__(self, source: Source, original: Video | None, options: Mapping[str, Any]) -> None:
        self._source, self._original, self._options = source, original, options

    def __iter__(self) -> Iterator[Picture]:
        original = contextlib.nullcontext() if self._original is None else self._original.open()
        with open_source(self._source) as (file, name), original as source:
            for found in inspect_stream(file, source=source, name=name, **self._options):
                yield Picture(**{field: getattr(found, field) for field in InspectedPicture.__dataclass_fields__})

    def to_frame(self) -> "pandas.DataFrame":
        """One row a picture: its report.

        Raises
        ------
        ConfigError : there is no pandas
        """
        return reports_frame(picture.report for picture in self)


def inspect(
    source: Source,
    *,
    original: Video | None = None,
    tools: Mapping[str, Any] | None = None,
    models: Sequence[str | os.PathLike] = (),
    threads: int = 1,
) -> Inspection:
    """Decode a stream, check its hashes, and show everything about each picture.

    Parameters
    ----------
    source : bytes, a path, an open file, or `Encoded`
    original : what was encoded, for PSNR and comparisons
    tools : the filters of one's own with which the stream was encoded, as `encode` takes them
    models : files and folders where weights may be, beside those that ship
    threads : of the learned filters

    Raises
    ------
    CodecError : when it is iterated over: as `decode`

    Examples
    --------
    >>> for picture in codecsim.inspect("clip.bin"):
    ...     print(picture.report.type, picture.data.coding_units()["size"].mean())
    """
    if original is not None:
        checked_video(original)
    return Inspection(source, original, {"models": models, "threads": threads, "filters": own_makers(tools)})
