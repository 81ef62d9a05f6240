"""Samples for the in-loop filter: whole pictures as the filter sees them, and their originals.

A folder of samples holds, for each encoding, two uint8 arrays and a JSON file

    <name>.decoded.npy, <name>.original.npy  (n, 6, h / 2, w / 2)  the planes of learned.loop.spec, in samples of 8 bits
    <name>.json                              {"source", "config", "qp", "pictures": [[slice type, QP], ...]}

The JSON file is written last: an encoding that has one is not made again.
"""

import dataclasses
import hashlib
import itertools
import json
import math
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from codecsim.codec.config import EncoderConfig
from codecsim.codec.encoder import Encoder
from codecsim.codec.picture_codec import PictureCodec
from codecsim.codec.stages.sample_offset import SampleOffset
from codecsim.codec.structure import coding_structure
from codecsim.errors import ConfigError
from codecsim.formats.video import open_video
from codecsim.picture.planes import Frame, VideoFormat
from codecsim.training.synthetic import FPS, PHOTO_SUFFIXES, find_photos, read_photo, to_frame

SLICE_TYPES = "BPI"
SCALES = (1.0, 0.7, 0.5)  # of photos


def plain_encoder(config: str, qp: int) -> EncoderConfig:
    """EncoderConfig of the standard's tools alone."""
    return EncoderConfig(config, qp, filter="off", hash="crc")


@dataclasses.dataclass(frozen=True)
class Coding:
    """How photos and clips are coded."""

    configs: tuple[str, ...]  # of clips; photos are coded all intra
    qps: tuple[int, ...]
    frames: int = 9  # pictures of a clip at most
    scales: tuple[float, ...] = SCALES  # of photos, above 0 and at most 1
    qps_each: int | None = None  # at how many of the QPs each photo and clip is coded, in turn; None: all
    encoder: Callable[[str, int], EncoderConfig] = plain_encoder  # settings by configuration and QP
    name: str = ""  # tells encodings with these settings from those with others

    def qps_of(self, k: int) -> tuple[int, ...]:
        """QPs of the k-th photo or clip."""
        turns = math.ceil(len(self.qps) / (self.qps_each or len(self.qps)))
        return self.qps[(k + k // turns) % turns :: turns]


def split_frame(frame: Frame) -> np.ndarray:
    """(6, h / 2, w / 2) planes of a Frame: luma of the four samples of each 2x2, then Cb and Cr."""
    y, u, v = frame
    return np.stack([y[0::2, 0::2], y[0::2, 1::2], y[1::2, 0::2], y[1::2, 1::2], u, v])


def _scaled(photo: np.ndarray, scale: float) -> tuple[Frame, VideoFormat]:
    """Frame and VideoFormat of a (h, w, 3) photo at a scale of at most 1, its size cut to multiples of 8."""
    import cv2

    width, height = (round(scale * n) for n in (photo.shape[1], photo.shape[0]))
    small = photo if scale == 1 else cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    width, height = width // 8 * 8, height // 8 * 8
    return to_frame(small[:height, :width]), VideoFormat(width, height, FPS, 8)


def _sources(
    paths: Sequence[str | os.PathLike], count: int, scales: tuple[float, ...]
) -> Iterator[tuple[str, VideoFormat, list[Frame], bool]]:
    """(name, VideoFormat, frames, whether they move) of photos and clips."""
    for path in map(pathlib.Path, paths):
        if path.is_dir() or path.suffix.lower() in PHOTO_SUFFIXES:
            for photo, scale in itertools.product(find_photos([path]), scales):
                frame, video_format = _scaled(read_photo(photo), scale)
                yield f"{photo.name}-{scale:g}", video_format, [frame], False
            continue
        with open_video(path) as video:
            if video.format.bit_depth != 8:
                raise ConfigError(f"{path}: samples are taken from pictures of 8 bits")
            frames = list(itertools.islice(video.frames, count))
            h, w = (n // 8 * 8 for n in frames[0].y.shape)
            cut = [Frame(f.y[:h, :w], *(plane[: h // 2, : w // 2] for plane in f[1:])) for f in frames]
            yield path.name, VideoFormat(w, h, video.format.fps, 8), cut, True


def take_samples(
    paths: Sequence[str | os.PathLike],
    folder: str | os.PathLike,
    coding: Coding,
    on_encoding: Callable[..., Any] = lambda name: None,
) -> int:
    """Encode and write what is not there yet.

    Parameters
    ----------
    paths : photos, folders of photos, clips
    folder : of the samples, made if it is not there
    coding : Coding
    on_encoding : called with the name of each encoding before it is made

    Returns
    -------
    int : encodings in the folder now

    Raises
    ------
    ConfigError : pictures, or settings of the encoder, of more than 8 bits
    """
    if coding.encoder(coding.configs[0], coding.qps[0]).hevc.internal_bit_depth not in (0, 8):
        raise ConfigError("samples are taken from pictures of 8 bits, not of another internal bit depth")
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for k, (name, video_format, frames, moves) in enumerate(_sources(paths, coding.frames, coding.scales)):
        about = hashlib.sha256()
        for plane in itertools.chain.from_iterable(frames):
            about.update(np.ascontiguousarray(plane).data)
        about.update(coding.name.encode())
        content = about.hexdigest()[:8]
        for config, qp in itertools.product(coding.configs if moves else ("ai",), coding.qps_of(k)):
            stem = folder / f"{name}-{content}-{config}-{qp}"
            if not stem.with_name(stem.name + ".json").exists():
                on_encoding(stem.name)
                _take(stem, name, video_format, frames, coding.encoder(config, qp))
    return len(list(folder.glob("*.json")))


def _take(
    stem: pathlib.Path, source: str, video_format: VideoFormat, frames: Sequence[Frame], config: EncoderConfig
) -> None:
    decoded, pictures, order = [], [], []
    encoder = Encoder(config, video_format)

    def look(stage: Any, codec: PictureCodec) -> None:
        if stage.name == SampleOffset.name:  # what the in-loop filter takes, whether it is on or not
            decoded.append(split_frame(codec.picture.crop(video_format)))

    encoder.codec.observers.append(look)
    for structure, frame in coding_structure(config.config, frames, intra_period=config.intra_period):
        report = encoder.encode(structure, frame).report
        pictures.append([SLICE_TYPES.index(report.type), report.qp])
        order.append(structure.index)
    about = {"source": source, "config": config.config, "qp": config.qp, "pictures": pictures}
    np.save(f"{stem}.decoded.npy", np.stack(decoded))
    np.save(f"{stem}.original.npy", np.stack([split_frame(frames[k]) for k in order]))
    stem.with_name(stem.name + ".json").write_text(json.dumps(about), encoding="utf-8")
