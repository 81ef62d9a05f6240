"""What is being looked at: streams that are decoded in the background, picture by picture, into a store."""

import contextlib
import json
import threading
from collections.abc import Callable, Generator, Sequence
from typing import Any, Self

import numpy as np

from codecsim.errors import BitstreamError, CodecError, ConfigError, FormatError
from codecsim.formats.output import STANDARD_STREAM
from codecsim.formats.video import InputOptions, open_stream, open_video
from codecsim.inspection.stream import InspectedPicture, inspect_stream
from codecsim.picture.planes import VideoFormat
from codecsim.viewer.layers import FILTERED, KEPT, PICTURE, PREDICTION, SOURCE, UNFILTERED, stack_planes
from codecsim.viewer.overlays import block_data
from codecsim.viewer.store import Store

BLOCKS = "blocks"


class StreamView:
    """One stream, as far as it has been decoded.

    Attributes
    ----------
    number : int, its place in the session; name : str
    has_source : bool
    video_format : VideoFormat of its first picture
    reports : list of dict by place in output order: the report, and `index`, `coding_index`, `loss`
    finished : bool; error : str, why it ended early, or None
    """

    def __init__(self, number: int, name: str, pictures: Generator[InspectedPicture], store: Store, has_source: bool):
        self.number, self.name, self.has_source = number, name, has_source
        self.reports: list[dict[str, Any]] = []
        self.finished = False
        self.error: str | None = None
        self.video_format: VideoFormat | None = None
        self._pictures, self._store = pictures, store

    def load_next(self) -> None:
        """Decode one more picture.

        Raises
        ------
        CodecError : damaged, or not of the size of the pictures before; its text names the stream
        """
        try:
            picture = next(self._pictures, None)
        except BitstreamError as error:
            raise FormatError(f"{self.name}: {error}") from error
        if picture is None:
            self.finished = True
            return
        if self.video_format is None:
            self.video_format = picture.video_format
        elif picture.video_format != self.video_format:
            raise FormatError(f"{self.name}: the size, rate or bit depth changes at picture {picture.index}")
        self._keep(picture)
        report = {name: value for name, value in vars(picture.report).items() if value is not None}
        report |= {"index": picture.index, "coding_index": picture.coding_index}
        if picture.data.losses is not None:
            report["loss"] = int(picture.data.losses.sum())
        self.reports.append(report)

    def _keep(self, picture: InspectedPicture) -> None:
        key = self.number, picture.index
        width, height = picture.video_format.width, picture.video_format.height
        dtype, data = picture.frame.y.dtype, picture.data
        layers = {
            PICTURE: data.reconstruction,
            UNFILTERED: data.unfiltered,
            FILTERED: data.filtered_prediction,
            PREDICTION: data.prediction,
        }
        kept = {name: stack_planes(planes, width, height).astype(dtype) for name, planes in layers.items()}
        if picture.source is not None:
            kept[SOURCE] = stack_planes(picture.source, width, height)
        for name, planes in kept.items():
            if name == PREDICTION and np.array_equal(planes, kept[FILTERED]):
                self._store.alias((*key, PREDICTION), (*key, FILTERED))
            else:
                self._store.put((*key, name), planes)
        self._store.put((*key, BLOCKS), json.dumps(block_data(data), separators=(",", ":")).encode())

    def layer(self, index: int, name: str) -> np.ndarray:
        """Stacked planes (see layers.stack_planes) of one of layers.KEPT; KeyError where there is none."""
        if name not in KEPT:
            raise KeyError(name)
        return self._store.get((self.number, index, name))

    def blocks(self, index: int) -> bytes:
        """Block data of a picture (see overlays.block_data) as JSON in bytes; KeyError where there is none."""
        return self._store.get((self.number, index, BLOCKS))

    def state(self, first: int) -> dict[str, Any]:
        """What the page is told: progress, and reports from place `first` on."""
        reports = self.reports[first:]
        return {"decoded": first + len(reports), "finished": self.finished, "error": self.error, "reports": reports}


class Session:
    """Streams side by side, and the thread that decodes them; a context manager.

    Parameters
    ----------
    paths : one or two paths of streams
    source : path of the original video, or None
    options : InputOptions of the source, if it needs any
    threads : int, of the prediction filter
    models : files and folders where weights may be, beside those that ship
    on_open : called when the first picture of a stream has been decoded

    Attributes
    ----------
    streams : list of StreamView
    """

    def __init__(
        self,
        paths: Sequence[str],
        source: str | None = None,
        options: InputOptions | None = None,
        threads: int = 1,
        models: Sequence[str] = (),
        on_open: Callable[[], object] = lambda: None,
    ):
        if source == STANDARD_STREAM:
            raise ConfigError("the source must be a file")
        if list(paths).count(STANDARD_STREAM) > 1:
            raise ConfigError("only one stream can come from standard input")
        self._arguments = paths, source, options or InputOptions(), threads, models
        self._on_open = on_open
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._load, name="decoder", daemon=True)
        self.streams: list[StreamView] = []

    def __enter__(self) -> Self:
        """Open all files and decode the first pictures, so that what cannot be shown is said at once.

        Raises
        ------
        CodecError : files that cannot be read, damaged streams, streams of differing sizes
        """
        paths, source, options, threads, models = self._arguments
        with contextlib.ExitStack() as stack:
            self._store = Store()
            stack.callback(self._store.close)
            for number, path in enumerate(paths):
                file, name = stack.enter_context(open_stream(path))
                video = stack.enter_context(open_video(source, options)) if source is not None else None
                pictures = inspect_stream(file, threads, models, video, name)
                stack.callback(pictures.close)
                self.streams.append(StreamView(number, name, pictures, self._store, video is not None))
            for stream in self.streams:
                stream.load_next()
                _check_sizes(self.streams[0], stream)
                self._on_open()
            self._resources = stack.pop_all()
        return self

    def start(self) -> None:
        """Decode the rest in the background."""
        self._thread.start()

    def __exit__(self, *error: Any) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._resources.close()

    def wait(self, seconds: float | None = None) -> None:
        """Until all is decoded; for tests and benchmarks."""
        self._thread.join(seconds)

    def _load(self) -> None:
        # All in one thread, turn by turn: the same place of two streams is what is looked at.
        try:
            while not self._stop.is_set() and not all(stream.finished for stream in self.streams):
                for stream in self.streams:
                    if not (stream.finished or self._stop.is_set()):
                        _load_one(stream)
        finally:
            for stream in self.streams:
                if not stream.finished:
                    stream.error, stream.finished = f"{stream.name}: decoding has stopped", True


def _load_one(stream: StreamView) -> None:
    """Decode one more picture of a StreamView; an error that the user can act on ends it."""
    try:
        stream.load_next()
    except CodecError as error:
        stream.error, stream.finished = str(error), True
    except (OSError, MemoryError) as error:
        stream.error, stream.finished = f"{stream.name}: {error or 'not enough memory'}", True


def _check_sizes(first: StreamView, second: StreamView) -> None:
    formats = [view.video_format for view in (first, second)]
    sizes = [(found.width, found.height) for found in formats if found is not None]
    if sizes[0] != sizes[1]:
        (w, h), (w2, h2) = sizes
        raise ConfigError(f"{second.name}: is {w2}x{h2}, but {first.name} is {w}x{h}; only equal sizes can be compared")
