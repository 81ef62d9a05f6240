"""Videos as a program holds them: arrays, or files that are read when their pictures are asked for."""

import contextlib
import fractions
import os
import stat
from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np

from codecsim.errors import ConfigError, FormatError
from codecsim.formats.output import STANDARD_STREAM
from codecsim.formats.samples import checked_format
from codecsim.formats.video import InputOptions, VideoInput, create_video, open_video
from codecsim.picture.planes import Frame, VideoFormat
from codecsim.resources import bundled_clip

BUNDLED = "bundled"  # in place of a path: the clip that ships
DEPTH_OF = {np.dtype(np.uint8): 8, np.dtype(np.uint16): 10}  # bits a sample, by the type of arrays
LUMA_WEIGHTS = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114)}  # of red and blue
SCALES = {"limited": (16, 219, 224), "full": (0, 255, 255)}  # black, luma and chroma from end to end, of 8 bits
Rate = int | float | str | fractions.Fraction


class Video:
    """Pictures of one format in output order, 4:2:0 of 8 or 10 bits.

    Make one by `read_video`, `Video.from_arrays` or `Video.from_rgb`.

    Attributes
    ----------
    name : str, of the file, for messages and results
    format : VideoFormat: width, height, fps, bit_depth
    frames : sequence of Frame (y, u, v): planes of (h, w) and twice (h/2, w/2), uint8 at 8 bits, else uint16.
        Those of a file are read when they are asked for, and not kept.
    """

    def __init__(self, name: str, video_format: VideoFormat, frames: Sequence[Frame]) -> None:
        self.name, self.format, self.frames = name, video_format, frames

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        form = self.format
        return f"<Video {self.name}: {form.width}x{form.height}, {form.bit_depth} bits, {form.fps} pictures a second>"

    @classmethod
    def from_arrays(
        cls,
        y: np.ndarray,
        u: np.ndarray | None = None,
        v: np.ndarray | None = None,
        *,
        fps: Rate = 25,
        name: str = "arrays",
    ) -> "Video":
        """A video of arrays, which are not copied.

        Parameters
        ----------
        y : (n, h, w) uint8 of 8 bits, or uint16 of 10 bits; h and w even
        u, v : (n, h/2, w/2) of the same type; grey if not given
        fps : pictures a second: a number, or a text such as "30000/1001"
        name : of the video, in messages and results; results of videos of one name and size can be compared

        Raises
        ------
        ConfigError : a wrong type, shape or value
        """
        planes: list[np.ndarray] = [_checked_array("y", y)]
        form = _checked_form("y", planes[0].shape[2], planes[0].shape[1], fps, DEPTH_OF[planes[0].dtype])
        if (u is None) != (v is None):
            raise ConfigError("one of u and v is given without the other")
        shape = (planes[0].shape[0], form.height // 2, form.width // 2)
        for plane_name, plane in (("u", u), ("v", v)):
            if plane is None:
                plane = np.broadcast_to(planes[0].dtype.type(1 << (form.bit_depth - 1)), shape)
            plane = _checked_array(plane_name, plane)
            if plane.shape != shape or plane.dtype != planes[0].dtype:
                raise ConfigError(
                    f"{plane_name} is {plane.shape} {plane.dtype}; expected {shape} {planes[0].dtype}, for y is "
                    f"{planes[0].shape}"
                )
            planes.append(plane)
        largest = (1 << form.bit_depth) - 1
        for plane_name, plane in zip("yuv", planes, strict=True):
            if form.bit_depth > 8 and int(plane.max()) > largest:
                raise ConfigError(f"{plane_name} has a sample of {plane.max()}; uint16 samples are 0..{largest}")
        return cls(name, form, [Frame(*pictures) for pictures in zip(*planes, strict=True)])

    @classmethod
    def from_rgb(
        cls,
        rgb: np.ndarray,
        *,
        fps: Rate = 25,
        matrix: str = "bt709",
        range: str = "limited",
        name: str = "arrays",
    ) -> "Video":
        """A video of 8 bits made of red, green and blue.

        Chroma is the mean of 2x2 pixels, so it is sited in their middle.

        Parameters
        ----------
        rgb : (n, h, w, 3) uint8, h and w even
        fps, name : as in `from_arrays`
        matrix : "bt709" or "bt601"
        range : "limited", luma 16..235, or "full", 0..255

        Raises
        ------
        ConfigError : a wrong type or shape, an unknown matrix or range
        """
        red_weight, blue_weight = _choice("matrix", matrix, LUMA_WEIGHTS)
        black, luma_scale, chroma_scale = _choice("range", range, SCALES)
        if not isinstance(rgb, np.ndarray) or rgb.dtype != np.uint8 or rgb.ndim != 4 or rgb.shape[3] != 3:
            raise ConfigError(f"rgb is {_described(rgb)}; expected (n, h, w, 3) uint8")
        if not len(rgb):
            raise ConfigError("rgb holds no pictures")
        form = _checked_form("rgb", rgb.shape[2], rgb.shape[1], fps, 8)
        frames = []
        for picture in rgb:
            red, green, blue = np.moveaxis(picture / 255.0, 2, 0)
            luma = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
            cb, cr = (blue - luma) / (2 - 2 * blue_weight), (red - luma) / (2 - 2 * red_weight)
            planes = [black + luma_scale * luma, *(128 + chroma_scale * _halved(plane) for plane in (cb, cr))]
            frames.append(Frame(*(np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in planes)))
        return cls(name, form, frames)

    def to_arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """y (n, h, w), u and v (n, h/2, w/2): what `from_arrays` takes."""
        y, u, v = (np.stack(planes) for planes in zip(*self.frames, strict=True))
        return y, u, v

    def to_rgb(self, *, matrix: str = "bt709", range: str = "limited") -> np.ndarray:
        """(n, h, w, 3) uint8, the inverse of `from_rgb`; chroma samples are repeated.

        Raises
        ------
        ConfigError : an unknown matrix or range
        """
        red_weight, blue_weight = _choice("matrix", matrix, LUMA_WEIGHTS)
        black, luma_scale, chroma_scale = _choice("range", range, SCALES)
        unit, pictures = float(1 << (self.format.bit_depth - 8)), []
        for frame in self.frames:
            luma = (frame.y / unit - black) / luma_scale
            cb, cr = (np.kron(plane / unit - 128, np.ones((2, 2))) / chroma_scale for plane in frame[1:])
            red, blue = luma + (2 - 2 * red_weight) * cr, luma + (2 - 2 * blue_weight) * cb
            green = (luma - red_weight * red - blue_weight * blue) / (1 - red_weight - blue_weight)
            pictures.append(np.clip(np.rint(255 * np.stack([red, green, blue], 2)), 0, 255).astype(np.uint8))
        return np.stack(pictures)

    def save(self, path: str | os.PathLike) -> None:
        """Write a file: raw samples if its name ends in .yuv, else y4m.

        Raises
        ------
        FormatError : the file cannot be written; then nothing is left of it
        """
        with create_video(path, self.format) as write:
            for frame in self.frames:
                write(frame)

    def open(self) -> contextlib.AbstractContextManager[VideoInput]:
        """The video as the encoder reads it: picture by picture, once."""
        if isinstance(self.frames, _FileFrames):
            return self.frames.open()
        return contextlib.nullcontext(VideoInput(self.name, self.format, len(self.frames), iter(self.frames)))


def read_video(
    path: str | os.PathLike, *, size: tuple[int, int] | None = None, fps: Rate | None = None, bit_depth: int = 8
) -> Video:
    """A video of a file: y4m, raw samples, or anything that ffmpeg opens.

    Its pictures are read when they are asked for. A pipe is read at once.

    Parameters
    ----------
    path : of the file; - is standard input; bundled, where there is no such file, the clip that ships with codecsim
    size : width and height, of raw samples
    fps : pictures a second, needed for raw samples; of other files, instead of what they say
    bit_depth : bits of raw samples; 10: 16-bit little-endian words

    Raises
    ------
    FormatError : the file is missing, damaged, or not 4:2:0 of 8 or 10 bits and even size
    ConfigError : raw samples without their size and rate

    Examples
    --------
    >>> video = codecsim.read_video("clip.y4m")
    >>> video.frames[0].y.shape
    (176, 320)
    """
    if size is not None and not (len(size) == 2 and all(isinstance(side, int) for side in size)):
        raise ConfigError(f"size is {size!r}; expected (width, height)")
    if not isinstance(path, (str, os.PathLike)):
        raise ConfigError(f"the path of a video is a {type(path).__name__}; expected a text or a path")
    if path == BUNDLED and not os.path.exists(path):
        path = bundled_clip()
    options = InputOptions(size, None if fps is None else _fraction(fps), bit_depth)
    with open_video(path, options) as video:
        frames: Sequence[Frame] = _FileFrames(path, options) if _is_file(path) else list(video.frames)
        return Video(video.name, video.format, frames)


class _FileFrames(Sequence[Frame]):
    """Pictures of a file; those that are asked for in order are read once."""

    def __init__(self, path: str | os.PathLike, options: InputOptions) -> None:
        self._path, self._options = path, options
        self._count: int | None = None
        self._walk: Iterator[Frame] = iter(())
        self._next = 0  # index of the picture that the walk gives next
        self._walk_ended = True

    def open(self) -> contextlib.AbstractContextManager[VideoInput]:
        """The open file."""
        return open_video(self._path, self._options)

    def __iter__(self) -> Iterator[Frame]:
        with self.open() as video:
            yield from video.frames

    def __len__(self) -> int:
        if self._count is None:
            self._count = sum(1 for _ in self)
        return self._count

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> list[Frame]: ...
    def __getitem__(self, index: int | slice) -> Frame | list[Frame]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        wanted = index if index >= 0 else index + len(self)
        if wanted < 0:
            raise IndexError(f"no picture {index}")
        if self._walk_ended or wanted < self._next:
            self._walk, self._next, self._walk_ended = iter(self), 0, False
        for frame in self._walk:
            self._next += 1
            if self._next > wanted:
                return frame
        self._count, self._walk_ended = self._next, True
        raise IndexError(f"no picture {index}; there are {self._count}")


def _is_file(path: str | os.PathLike) -> bool:
    return os.fspath(path) != STANDARD_STREAM and stat.S_ISREG(os.stat(path).st_mode)


def _fraction(fps: Rate) -> fractions.Fraction:
    with contextlib.suppress(ValueError, TypeError, ZeroDivisionError):
        found = fractions.Fraction(str(fps))
        if found > 0:
            return found
    raise ConfigError(f"fps is {fps!r}; expected a number above 0, or a text such as '30000/1001'")


def _checked_form(name: str, width: int, height: int, fps: Rate, bit_depth: int) -> VideoFormat:
    try:
        return checked_format(name, width, height, _fraction(fps), bit_depth)
    except FormatError as error:
        raise ConfigError(str(error)) from None


def _checked_array(name: str, array: object) -> np.ndarray:
    """The array if it may hold a component of a video."""
    if not isinstance(array, np.ndarray) or array.ndim != 3 or array.dtype not in DEPTH_OF:
        raise ConfigError(f"{name} is {_described(array)}; expected (n, h, w) uint8 (8 bits) or uint16 (10 bits)")
    if not len(array):
        raise ConfigError(f"{name} holds no pictures")
    return array


def _described(value: object) -> str:
    return f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"


def _choice(name: str, value: str, allowed: dict[str, Any]) -> Any:
    if value not in allowed:
        raise ConfigError(f"{name} is {value!r}; expected one of {', '.join(allowed)}")
    return allowed[value]


def _halved(plane: np.ndarray) -> np.ndarray:
    """Means of 2x2."""
    height, width = plane.shape
    return plane.reshape(height // 2, 2, width // 2, 2).mean((1, 3))


def checked_video(video: object) -> Video:
    """The video itself.

    Raises
    ------
    ConfigError : it is none
    """
    if not isinstance(video, Video):
        raise ConfigError(
            f"found a {type(video).__name__} in place of a Video; make one by codecsim.read_video, "
            "Video.from_arrays or Video.from_rgb"
        )
    return video
