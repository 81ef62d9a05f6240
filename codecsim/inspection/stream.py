"""A stream picture by picture, with all that can be seen in it."""

import dataclasses
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from codecsim.codec.decoder import NO_FILTERS, decode
from codecsim.codec.reports import PictureReport
from codecsim.errors import FormatError
from codecsim.formats.video import VideoInput
from codecsim.inspection.observer import PictureData, PictureObserver
from codecsim.picture.metrics import frame_psnr
from codecsim.picture.planes import Frame, VideoFormat, change_bit_depth


@dataclasses.dataclass(frozen=True)
class InspectedPicture:
    """One picture in output order."""

    index: int  # in output order
    coding_index: int
    video_format: VideoFormat
    frame: Frame  # what is output: the reconstruction, cropped
    source: Frame | None  # the original at the coded bit depth, None where there is none
    report: PictureReport  # its psnr_* are set where there is a source
    data: PictureData


def inspect_stream(
    stream: BinaryIO,
    threads: int = 1,
    models: Sequence[str | os.PathLike] = (),
    source: VideoInput | None = None,
    name: str = "the stream",
    filters: Mapping[str, Any] = NO_FILTERS,
) -> Generator[InspectedPicture]:
    """Decode an Annex B stream, check its hashes, and show everything about each picture.

    Parameters
    ----------
    stream : binary file, read forward
    threads : int, of the prediction filter
    models : files and folders where weights may be, beside those that ship with codecsim
    source : formats.video.VideoInput of the original, or None; it may be longer or shorter than the stream
    name : str, of the stream in messages
    filters : functions that make the filters of one's own that the stream needs, see learned.own_filters

    Yields
    ------
    InspectedPicture, in output order

    Raises
    ------
    CodecError : as decoder.decode()
    FormatError : the source has another size than the stream
    """
    observer = PictureObserver()
    frames: Iterator[Frame] = iter(source.frames) if source else iter(())
    for index, decoded in enumerate(decode(stream, True, threads, models, observer, filters=filters)):
        original = next(frames, None)
        if source is not None and original is not None:
            original = _fit(original, source, decoded.video_format, name)
            psnr = frame_psnr(original, decoded.frame, decoded.video_format.bit_depth)
            decoded.report.psnr_y, decoded.report.psnr_u, decoded.report.psnr_v = psnr
        data = observer.pictures.pop(decoded.coding_index)
        yield InspectedPicture(
            index, decoded.coding_index, decoded.video_format, decoded.frame, original, decoded.report, data
        )


def _fit(frame: Frame, source: VideoInput, video_format: VideoFormat, name: str) -> Frame:
    """A source's Frame at the bit depth of the stream."""
    sizes = [(found.width, found.height) for found in (source.format, video_format)]
    if sizes[0] != sizes[1]:
        (w, h), (stream_w, stream_h) = sizes
        raise FormatError(f"{source.name}: is {w}x{h}, but {name} is {stream_w}x{stream_h}")
    return change_bit_depth(frame, source.format.bit_depth, video_format.bit_depth)
