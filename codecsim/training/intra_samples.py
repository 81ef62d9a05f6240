"""Samples for the intra prediction filter: transform blocks of pictures that this codec has coded all intra.

A folder of samples holds, for blocks of 4, 8, 16 and 32 samples a side, int16 arrays

    planes_<log2>.npy  (n, inputs, side + 8, side + 8)  all input planes with the widest margin
    error_<log2>.npy   (n, side, side)                  original less prediction, transposed as the filter sees it
    about_<log2>.npy   (n, 2)                           slice QP and mode
"""

import pathlib
from typing import NamedTuple

import numpy as np

from codecsim.binding import bind
from codecsim.config import EncoderConfig
from codecsim.encoder import Encoder
from codecsim.errors import ConfigError
from codecsim.formats.video import open_video
from codecsim.intra_learning import rows_of
from codecsim.learned.intra_filter import make_intra_net, pack_nets
from codecsim.learned.intra_inputs import INPUTS, MAX_MARGIN, fill_patch, is_transposed
from codecsim.learned.intra_spec import IntraSpec
from codecsim.learned.spec import CONV3, NetSpec
from codecsim.picture import PAD_Y, Frame, VideoFormat
from codecsim.recon import reconstruct
from codecsim.structure import coding_structure
from codecsim.tables import make_zorder
from codecsim.tools.intra import REFS_SHAPE, gather_references
from codecsim.training.synthetic import FPS, PHOTO_SUFFIXES, POINT, find_photos, read_photo, to_frame

QPS = (22, 27, 32, 37)
SHIFTS = (-2, -1, 0, 1, 2)  # of the QPs, from picture to picture
BLOCKS = {2: 150_000, 3: 150_000, 4: 45_000, 5: 12_000}  # at most, by log2 of the size
VIDEO_PICTURES = 4  # of a clip, spread over it
_SPEC = IntraSpec(NetSpec(len(INPUTS), ((CONV3, 8),) * (MAX_MARGIN - 1)))


class CodedPicture(NamedTuple):
    """What a picture leaves to learn from; (h, w) arrays of uint8 but for the units'."""

    original: np.ndarray
    recon: np.ndarray  # before in-loop filters
    pred: np.ndarray  # intra prediction, block by block
    size_log2: np.ndarray  # (h / 4, w / 4), of transform blocks
    mode: np.ndarray  # (h / 4, w / 4)
    qp: int


def code_picture(frame, video_format, qp, preset="medium"):
    """Code a Frame of 8 bits all intra; returns its CodedPicture."""
    encoder = Encoder(EncoderConfig("ai", qp, preset=preset, filter="off"), video_format)
    for structure, picture in coding_structure("ai", [frame]):
        encoder.encode(structure, picture)
    codec = encoder.codec
    reconstruct(codec.rc, 0, rows_of(codec.rc))  # the in-loop filters have passed over the samples
    h, w = frame.y.shape
    coded = (codec.picture.planes.y[PAD_Y:, PAD_Y:], codec.pred.y)
    return CodedPicture(
        frame.y, *(plane[:h, :w].astype(np.uint8) for plane in coded),
        codec.blocks.tu_log2.copy(), codec.blocks.intra_luma.copy(), qp,
    )  # fmt: skip


def read_pictures(paths):
    """(name, Frame, VideoFormat) of photos, whole and at half their size, and of some pictures of clips.

    Sizes are cut to multiples of 8.
    """
    for path in map(pathlib.Path, paths):
        if path.is_dir() or path.suffix.lower() in PHOTO_SUFFIXES:
            for photo_path in find_photos([path]):
                photo = read_photo(photo_path)
                h, w = photo.shape[0] // 16 * 16, photo.shape[1] // 16 * 16
                half = photo[:h, :w].reshape(h // 2, 2, w // 2, 2, 3).mean((1, 3))
                for part in (photo[: h // 8 * 8, : w // 8 * 8], half):
                    frame = to_frame(part, POINT)  # as the weights that ship were trained; luma is the same
                    yield photo_path.name, frame, VideoFormat(part.shape[1], part.shape[0], FPS, 8)
            continue
        with open_video(path) as video:
            if video.format.bit_depth != 8:
                raise ConfigError(f"{path}: samples are taken from pictures of 8 bits")
            frames = list(video.frames)
            for k in range(0, len(frames), -(-len(frames) // VIDEO_PICTURES)):
                h, w = (n // 8 * 8 for n in frames[k].y.shape)
                frame = Frame(frames[k].y[:h, :w], *(plane[: h // 2, : w // 2] for plane in frames[k][1:]))
                yield path.name, frame, VideoFormat(w, h, video.format.fps, 8)


def _blocks_of(picture):
    """(log2, y, x) of the transform blocks of a CodedPicture, units of 4 samples."""
    for y, x in np.ndindex(picture.size_log2.shape):
        log2 = int(picture.size_log2[y, x])
        units = 1 << (log2 - 2)
        if y % units == 0 and x % units == 0:
            yield log2, y, x


def write_samples(pictures, folder, seed=0, scale=1.0):
    """Write samples of CodedPictures to a folder; which blocks, is drawn.

    scale : float, of the numbers in BLOCKS

    Returns
    -------
    dict of log2 to number of blocks
    """
    rng, folder = np.random.default_rng(seed), pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    places = {log2: [] for log2 in BLOCKS}
    for k, picture in enumerate(pictures):
        for log2, y, x in _blocks_of(picture):
            places[log2].append((k, y, x))
    counts = {}
    for log2, found in places.items():
        wanted = min(len(found), int(BLOCKS[log2] * scale))
        drawn = [found[i] for i in sorted(rng.permutation(len(found))[:wanted])]
        _write_size(pictures, drawn, log2, folder)
        counts[log2] = wanted
    return counts


def _write_size(pictures, drawn, log2, folder):
    """Arrays of the blocks of one size; drawn: (picture, y, x) in units."""
    n, side = 1 << log2, (1 << log2) + 2 * MAX_MARGIN
    shapes = {"planes": (len(INPUTS), side, side), "error": (n, n), "about": (2,)}
    out = {
        name: np.lib.format.open_memmap(folder / f"{name}_{log2}.npy", "w+", np.int16, (len(drawn), *shape))
        for name, shape in shapes.items()
    }
    refs, packed = np.zeros(REFS_SHAPE, np.int32), pack_nets(_SPEC, np.zeros(_SPEC.n_weights, np.float32))
    last = None
    for i, (k, uy, ux) in enumerate(drawn):
        picture = pictures[k]
        if k != last:
            net = bind(make_intra_net(_SPEC, range(len(INPUTS)), packed, picture.qp, 8))
            recon, zorder = np.pad(picture.recon, PAD_Y).astype(np.uint16), make_zorder(*picture.size_log2.shape)
            pred, last = picture.pred.astype(np.uint16), k
        y, x, mode = 4 * uy, 4 * ux, int(picture.mode[uy, ux])
        gather_references(recon, PAD_Y, zorder, x, y, log2, 0, 8, refs)
        fill_patch(net, recon, PAD_Y, zorder, x, y, log2, mode, refs, pred)
        area = slice(y, y + n), slice(x, x + n)
        error = picture.original[area].astype(np.int16) - picture.pred[area]
        out["planes"][i] = net.value.patch[:, :side, :side]
        out["error"][i] = error.T if is_transposed(mode) else error
        out["about"][i] = picture.qp, mode


def take_samples(paths, folder, seed=0, scale=1.0, on_picture=lambda name, qp: None):
    """Code pictures at several QPs and write samples of them; returns their numbers as `write_samples` does."""
    coded = []
    for k, (name, frame, video_format) in enumerate(read_pictures(paths)):
        for qp in QPS:
            qp += SHIFTS[k % len(SHIFTS)]
            coded.append(code_picture(frame, video_format, qp))
            on_picture(name, qp)
    return write_samples(coded, folder, seed, scale)
