"""What inspection finds in a stream, as block statistics that YUView draws over the video.

Source: the format is "Statistics Extension Syntax", version 1.22, in the wiki of YUView (github.com/IENT/YUView).
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from codecsim.formats.output import atomic_output
from codecsim.inspection.planes import sum_squares
from codecsim.inspection.stream import InspectedPicture
from codecsim.picture.blocks import (
    CBF_CB,
    CBF_CR,
    CBF_Y,
    CHOICE_EVERYWHERE,
    CHOICE_LOG2,
    CHOICE_PER_BLOCK,
    CTU_SIZE,
    MODE_INTRA,
    TSKIP_SHIFT,
)
from codecsim.picture.planes import VideoFormat
from codecsim.syntax.loop_choice import SIZES_LOG2

SYNTAX_VERSION = "v1.22"
_MODE_COLOURS = ("%;mapColor;1;220;60;40;255", "%;mapColor;2;50;90;220;255", "%;mapColor;3;60;190;90;255")
_CBF = CBF_Y | CBF_CB | CBF_CR
_CHOICE = 1 << CHOICE_LOG2
_COMPONENTS = ("Y", "Cb", "Cr")


Columns = tuple[Any, ...]  # x, y, width, height, then value or vector: arrays, or numbers for all blocks
Find = Callable[[InspectedPicture], Columns | None]  # None: the picture has none


class Statistic(NamedTuple):
    """One kind of values or vectors."""

    name: str
    look: tuple[str, ...]  # header lines behind its own
    find: Find
    kind: str = "range"  # 'map', 'range' or 'vector'


def _range(low: int, high: int, scaled: bool = False) -> tuple[str, ...]:
    """Header lines of values `low` to `high`; `scaled`: they are sums over the block, of which the mean is shown."""
    return (f"%;defaultRange;{low};{high};jet", *(["%;scaleToBlockSize;1"] if scaled else []))


def _of_cu(value: Callable[[InspectedPicture, np.ndarray], Any]) -> Find:
    def find(picture: InspectedPicture) -> Columns:
        cu = picture.data.coding_units()
        return cu["x"], cu["y"], cu["size"], cu["size"], value(picture, cu)

    return find


def _of_tu(bits: int, shift: int = 0) -> Find:
    def find(picture: InspectedPicture) -> Columns:
        tu = picture.data.transform_units()
        return tu["x"], tu["y"], tu["size"], tu["size"], tu["cbf"] >> shift & bits

    return find


def _of_pu(value: Callable[[np.ndarray], tuple], wanted: Callable[[np.ndarray], np.ndarray]) -> Find:
    """`wanted`: which prediction units have one."""

    def find(picture: InspectedPicture) -> Columns:
        pu = picture.data.prediction_units()
        pu = pu[wanted(pu)]
        return pu["x"], pu["y"], pu["width"], pu["height"], *value(pu)

    return find


def _is_intra(pu: np.ndarray) -> np.ndarray:
    return pu["mode"] == MODE_INTRA


def _of_grid(values: np.ndarray | None, side: int) -> Columns | None:
    """Columns of square blocks of `side` luma samples from an array of their values; None stays."""
    if values is None:
        return None
    y, x = np.indices(values.shape)
    return side * x, side * y, side, side, values


def _motion(lx: int) -> Find:
    return _of_pu(lambda pu: (pu["mv"][:, lx, 0], pu["mv"][:, lx, 1]), lambda pu: pu["ref_idx"][:, lx] >= 0)


def _reference(lx: int) -> Find:
    return _of_pu(lambda pu: (pu["ref_poc"][:, lx],), lambda pu: pu["ref_idx"][:, lx] >= 0)


def _filter_choice(picture: InspectedPicture) -> Columns | None:
    data = picture.data
    return _of_grid(data.blocks.filtering.taken if data.experts else None, _CHOICE)


def _obmc_choice(picture: InspectedPicture) -> Columns | None:
    data = picture.data
    return _of_grid(data.blocks.overlap.taken if data.overlap_used else None, _CHOICE)


def _loss(picture: InspectedPicture) -> Columns | None:
    losses = picture.data.losses
    return _of_grid(None if losses is None else sum_squares(losses, _CHOICE // 4), _CHOICE)


def _loop_filter(component: int) -> Find:
    def find(picture: InspectedPicture) -> Columns | None:
        loop = picture.data.loop
        if loop is None:
            return None
        log2, where = SIZES_LOG2[loop.size[0]], loop.where[component]
        rows, columns = (-(-size >> log2) for size in picture.data.reconstruction.y.shape)
        flags = np.full((rows, columns), where == CHOICE_EVERYWHERE)
        if where == CHOICE_PER_BLOCK:
            flags = loop.flags[component, :rows, :columns]
        return _of_grid(flags, 1 << log2)

    return find


def _sao(component: int) -> Find:
    return lambda picture: _of_grid(picture.data.sao.type_idx[component], CTU_SIZE)


def _ctu_bits(picture: InspectedPicture) -> Columns | None:
    return _of_grid(np.rint(picture.data.bits.ctu / 256), CTU_SIZE)


def _squared_error(picture: InspectedPicture, cu: np.ndarray) -> np.ndarray:
    """Of luma against the source, which there is."""
    assert picture.source is not None
    height, width = picture.frame.y.shape
    error = np.zeros(picture.data.reconstruction.y.shape, np.int64)
    error[:height, :width] = (picture.frame.y.astype(np.int64) - picture.source.y) ** 2
    sums = np.pad(error.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    y, x, n = (cu[name].astype(np.int64) for name in ("y", "x", "size"))
    return sums[y + n, x + n] - sums[y, x + n] - sums[y + n, x] + sums[y, x]


def _distortion(picture: InspectedPicture) -> Columns | None:
    return None if picture.source is None else _of_cu(_squared_error)(picture)


STATISTICS = (
    Statistic("PredMode", _MODE_COLOURS, _of_cu(lambda picture, cu: cu["mode"]), "map"),
    Statistic("PartMode", _range(0, 7), _of_cu(lambda picture, cu: cu["part"])),
    Statistic("QP", _range(0, 51), _of_cu(lambda picture, cu: cu["qp"])),
    Statistic("CUBits", _range(0, 512), _of_cu(lambda picture, cu: np.rint(cu["bits_q8"] / 256))),
    Statistic("CUMilliBits", _range(0, 1000, True), _of_cu(lambda picture, cu: np.rint(cu["bits_q8"] / 0.256))),
    Statistic("CTUBits", _range(0, 4096), _ctu_bits),
    Statistic("IntraModeY", _range(0, 34), _of_pu(lambda pu: (pu["intra_luma"],), _is_intra)),
    Statistic("IntraModeC", _range(0, 4), _of_pu(lambda pu: (pu["intra_chroma"],), _is_intra)),
    Statistic("MergeIdx", _range(0, 4), _of_pu(lambda pu: (pu["merge"] - 1,), lambda pu: pu["merge"] > 0)),
    Statistic("RefPocL0", _range(0, 64), _reference(0)),
    Statistic("RefPocL1", _range(0, 64), _reference(1)),
    Statistic("MVL0", ("%;vectorColor;200;0;0;255", "%;scaleFactor;4"), _motion(0), "vector"),
    Statistic("MVL1", ("%;vectorColor;0;200;0;255", "%;scaleFactor;4"), _motion(1), "vector"),
    Statistic("Cbf", _range(0, _CBF), _of_tu(_CBF)),
    Statistic("TransformSkip", _range(0, _CBF), _of_tu(_CBF, TSKIP_SHIFT)),
    Statistic("IntraFilter", _range(0, 1), _of_cu(lambda picture, cu: cu["intra_filter"])),
    Statistic("FilterChoice", _range(0, 4), _filter_choice),
    Statistic("ObmcChoice", _range(0, 1), _obmc_choice),
    Statistic("Loss", _range(0, 16, True), _loss),
    Statistic("SquaredError", _range(0, 64, True), _distortion),
    *(Statistic(f"LoopFilter{name}", _range(0, 1), _loop_filter(c)) for c, name in enumerate(_COMPONENTS)),
    *(Statistic(f"Sao{name}", _range(0, 2), _sao(c)) for c, name in enumerate(_COMPONENTS)),
)


def statistics_header(video_format: VideoFormat, name: str) -> Iterator[str]:
    """Header lines for pictures of a VideoFormat; `name`: of the video."""
    name = "".join(" " if character in ";\r\n" else character for character in name)
    yield f"%;syntax-version;{SYNTAX_VERSION}"
    yield f"%;seq-specs;{name};0;{video_format.width};{video_format.height};{float(video_format.fps):g};"
    yield "%;%;picture in output order;x;y;width;height;type;value or x of vector;y of vector"
    for number, statistic in enumerate(STATISTICS):
        yield f"%;type;{number};{statistic.name};{statistic.kind};"
        yield from statistic.look


def picture_rows(picture: InspectedPicture) -> Iterator[str]:
    """Data lines of an InspectedPicture, type by type; blocks are cut off at the picture's edge."""
    width, height = picture.video_format.width, picture.video_format.height
    for number, statistic in enumerate(STATISTICS):
        found = statistic.find(picture)
        if found is None:
            continue
        columns = [np.asarray(column).astype(np.int64) for column in found]
        x, y, w, h, *values = (column.ravel() for column in np.broadcast_arrays(*columns))
        w, h = np.minimum(w, width - x), np.minimum(h, height - y)
        inside = (w > 0) & (h > 0)
        for row in np.stack([x, y, w, h, np.full_like(x, number), *values], 1)[inside].tolist():
            yield f"{picture.index};{';'.join(map(str, row))}"


def write_statistics(pictures: Iterable, output: str | os.PathLike, name: str) -> int:
    """Write block statistics of pictures, as they come.

    Parameters
    ----------
    pictures : of InspectedPicture, in output order
    output : path, `-` for standard output
    name : str, of the video

    Returns
    -------
    Number of pictures

    Raises
    ------
    CodecError : what the pictures raise; the file cannot be written; then it is not left
    """
    count = 0
    with atomic_output(output) as file:
        for count, picture in enumerate(pictures, 1):
            lines = list(picture_rows(picture))
            if count == 1:
                lines[:0] = statistics_header(picture.video_format, name)
            file.write("".join(f"{line}\n" for line in lines).encode())
    return count
