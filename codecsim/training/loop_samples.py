"""Samples for the in-loop filter: whole pictures as the filter sees them, and their originals.

A folder of samples holds, for each encoding, two uint8 arrays and a JSON file

    <name>.decoded.npy, <name>.original.npy  (n, 6, h / 2, w / 2)  the planes of learned.loop_spec, in samples of 8 bits
    <name>.json                              {"source", "config", "qp", "pictures": [[slice type, QP], ...]}

The JSON file is written last: an encoding that has one is not made again.
"""

import hashlib
import itertools
import json
import math
import pathlib

import cv2
import numpy as np

from codecsim.config import EncoderConfig
from codecsim.encoder import encode
from codecsim.errors import ConfigError
from codecsim.formats.video import open_video
from codecsim.picture import Frame, VideoFormat
from codecsim.training.synthetic import FPS, PHOTO_SUFFIXES, find_photos, read_photo, to_frame

SLICE_TYPES = "BPI"
SCALES = (1.0, 0.7, 0.5)  # of photos


def split_frame(frame):
    """(6, h / 2, w / 2) planes of a Frame: luma of the four samples of each 2x2, then Cb and Cr."""
    y, u, v = frame
    return np.stack([y[0::2, 0::2], y[0::2, 1::2], y[1::2, 0::2], y[1::2, 1::2], u, v])


def _scaled(photo, scale):
    """Frame and VideoFormat of a (h, w, 3) photo at a scale of at most 1, its size cut to multiples of 8."""
    width, height = (round(scale * n) for n in (photo.shape[1], photo.shape[0]))
    small = photo if scale == 1 else cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    width, height = width // 8 * 8, height // 8 * 8
    return to_frame(small[:height, :width]), VideoFormat(width, height, FPS, 8)


def _sources(paths, count, scales):
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


def take_samples(paths, folder, configs, qps, count=9, scales=SCALES, share=None, on_encoding=lambda name: None):
    """Encode and write what is not there yet.

    Parameters
    ----------
    paths : photos, folders of photos, clips
    folder : of the samples, made if it is not there
    configs : of EncoderConfig; photos are coded all intra only
    qps : of the encodings
    count : int, pictures of a clip at most
    scales : of photos, above 0 and at most 1
    share : int, at how many of the QPs each photo and clip is coded: every so many-th, in turn; None: all

    Returns
    -------
    int : encodings in the folder now
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    turns = math.ceil(len(qps) / (share or len(qps)))
    for k, (name, video_format, frames, moves) in enumerate(_sources(paths, count, scales)):
        content = hashlib.sha256(b"".join(plane.tobytes() for plane in frames[0])).hexdigest()[:8]
        for config, qp in itertools.product(configs if moves else ("ai",), qps[(k + k // turns) % turns :: turns]):
            stem = folder / f"{name}-{content}-{config}-{qp}"
            if not stem.with_name(stem.name + ".json").exists():
                on_encoding(stem.name)
                _take(stem, name, video_format, frames, EncoderConfig(config, qp, filter="off", hash="crc"))
    return len(list(folder.glob("*.json")))


def _take(stem, source, video_format, frames, config):
    coded = list(encode(config, video_format, frames))
    about = {"source": source, "config": config.config, "qp": config.qp}
    about["pictures"] = [[SLICE_TYPES.index(picture.report.type), picture.report.qp] for picture in coded]
    np.save(f"{stem}.decoded.npy", np.stack([split_frame(picture.recon) for picture in coded]))
    np.save(f"{stem}.original.npy", np.stack([split_frame(frames[picture.index]) for picture in coded]))
    stem.with_name(stem.name + ".json").write_text(json.dumps(about))
