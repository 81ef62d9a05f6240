"""Samples for the intra prediction filter: transform blocks of pictures that this codec has coded all intra.

A folder of samples holds, for each encoding of a picture, two uint8 arrays and a JSON file

    <name>.samples.npy  (3, h, w)          luma of the original, the reconstruction and the prediction
    <name>.blocks.npy   (2, h / 4, w / 4)  log2 of the size of transform blocks, and mode
    <name>.json                            {"source", "qp", "number": grows in the order of coding}

and what is drawn from all of them, for blocks of 4, 8, 16 and 32 samples a side, as int16 arrays

    planes_<log2>.npy  (n, inputs, side + 8, side + 8)  all input planes with the widest margin
    error_<log2>.npy   (n, side, side)                  original less prediction, transposed as the filter sees it
    about_<log2>.npy   (n, 2)                           slice QP and mode
    drawn.json                                          {"seed", "scale", "encodings": names, "blocks": of each size}

The JSON files are written last: an encoding that has one is not made again, and without drawn.json there is nothing to
train on.
"""

import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from codecsim.codec.config import EncoderConfig
from codecsim.codec.encoder import Encoder
from codecsim.codec.intra_rows import rows_of
from codecsim.codec.recon import reconstruct
from codecsim.codec.structure import coding_structure
from codecsim.errors import ConfigError
from codecsim.formats.output import atomic_output
from codecsim.formats.video import open_video
from codecsim.hevc.intra import REFS_SHAPE, Surroundings, gather_references
from codecsim.hevc.tables import make_zorder
from codecsim.kernels.binding import bind
from codecsim.learned.engine.spec import CONV3, NetSpec
from codecsim.learned.intra.filter import make_intra_net, pack_nets
from codecsim.learned.intra.inputs import INPUTS, MAX_MARGIN, fill_patch, is_transposed
from codecsim.learned.intra.spec import IntraSpec
from codecsim.picture.areas import TransformBlock
from codecsim.picture.planes import PAD_Y, Frame, VideoFormat
from codecsim.training.synthetic import FPS, PHOTO_SUFFIXES, POINT, find_photos, read_photo, to_frame

QPS = (22, 27, 32, 37)
SHIFTS = (-2, -1, 0, 1, 2)  # of the QPs, from picture to picture
BLOCKS = {2: 150_000, 3: 150_000, 4: 45_000, 5: 12_000}  # at most, by log2 of the size
VIDEO_PICTURES = 4  # of a clip, spread over it
DRAWN = "drawn.json"
_SPEC = IntraSpec(NetSpec(len(INPUTS), ((CONV3, 8),) * (MAX_MARGIN - 1)))


class CodedPicture(NamedTuple):
    """What a picture leaves to learn from; (h, w) arrays of uint8 but for the units'."""

    original: np.ndarray
    recon: np.ndarray  # before in-loop filters
    pred: np.ndarray  # intra prediction, block by block
    size_log2: np.ndarray  # (h / 4, w / 4), of transform blocks
    mode: np.ndarray  # (h / 4, w / 4)
    qp: int


def code_picture(frame: Frame, video_format: VideoFormat, qp: int, preset: str = "medium") -> CodedPicture:
    """Code a Frame of 8 bits all intra; returns its CodedPicture."""
    encoder = Encoder(EncoderConfig("ai", qp, preset=preset, filter="off"), video_format)
    for structure, picture in coding_structure("ai", [frame]):
        encoder.encode(structure, picture)
    codec = encoder.codec
    reconstruct(codec.rc, 0, rows_of(codec.rc))  # the in-loop filters have passed over the samples
    h, w = frame.y.shape
    recon, pred = (plane[:h, :w].astype(np.uint8) for plane in (codec.picture.planes.y[PAD_Y:, PAD_Y:], codec.pred.y))
    return CodedPicture(frame.y, recon, pred, codec.blocks.tu_log2.copy(), codec.blocks.intra_luma.copy(), qp)


def read_pictures(paths: Iterable[str | os.PathLike]) -> Iterator[tuple[str, Frame, VideoFormat]]:
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


def _places(size_log2: np.ndarray, log2: int) -> np.ndarray:
    """(n, 2) rows and columns of the transform blocks of one size of a picture, in units of 4 samples."""
    units = 1 << (log2 - 2)
    return np.argwhere(size_log2[::units, ::units] == log2) * units


def write_samples(
    pictures: Mapping[str, CodedPicture], folder: str | os.PathLike, seed: int = 0, scale: float = 1.0
) -> dict[int, int]:
    """Write samples of coded pictures to a folder; which blocks, is drawn.

    Parameters
    ----------
    pictures : dict of the name of an encoding to its CodedPicture
    scale : float, of the numbers in BLOCKS

    Returns
    -------
    dict of log2 to number of blocks
    """
    rng, folder = np.random.default_rng(seed), pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DRAWN).unlink(missing_ok=True)
    counts = {}
    for log2, most in BLOCKS.items():
        places = [_places(picture.size_log2, log2) for picture in pictures.values()]
        ends = np.cumsum([len(found) for found in places])
        counts[log2] = min(int(ends[-1]), int(most * scale))
        drawn = np.sort(rng.permutation(int(ends[-1]))[: counts[log2]])
        parts = np.split(drawn, np.searchsorted(drawn, ends[:-1]))
        chosen = [found[part - end + len(found)] for found, part, end in zip(places, parts, ends, strict=True)]
        _write_size(zip(pictures.values(), chosen, strict=True), counts[log2], log2, folder)
    _write_json(folder / DRAWN, {"seed": seed, "scale": scale, "encodings": [*pictures], "blocks": counts})
    return counts


def _write_json(path: pathlib.Path, value: Any) -> None:
    with atomic_output(path) as file:
        file.write(json.dumps(value).encode())


def _write_size(drawn: Any, count: int, log2: int, folder: pathlib.Path) -> None:
    """Arrays of the blocks of one size; drawn: (CodedPicture, (n, 2) rows and columns in units), `count` in all."""
    n, side = 1 << log2, (1 << log2) + 2 * MAX_MARGIN
    shapes = {"planes": (len(INPUTS), side, side), "error": (n, n), "about": (2,)}
    names = {name: folder / f"{name}_{log2}.npy" for name in shapes}
    parts = {name: folder / f".{path.name}.part" for name, path in names.items()}
    out = {
        name: np.lib.format.open_memmap(parts[name], "w+", np.int16, (count, *shape)) for name, shape in shapes.items()
    }
    refs, packed = np.zeros(REFS_SHAPE, np.int32), pack_nets(_SPEC, np.zeros(_SPEC.n_weights, np.float32))
    i = 0
    for picture, places in drawn:
        net = bind(make_intra_net(_SPEC, range(len(INPUTS)), packed, picture.qp, 8))
        recon, zorder = np.pad(picture.recon, PAD_Y).astype(np.uint16), make_zorder(*picture.size_log2.shape)
        pred = picture.pred.astype(np.uint16)
        for uy, ux in places.tolist():
            y, x, mode = 4 * uy, 4 * ux, int(picture.mode[uy, ux])
            around, tb = Surroundings(recon, PAD_Y, zorder), TransformBlock(y, x, log2, 0)
            gather_references(around, tb, 8, refs)
            fill_patch(net, around, tb, mode, refs, pred)
            area = slice(y, y + n), slice(x, x + n)
            error = picture.original[area].astype(np.int16) - picture.pred[area]
            out["planes"][i] = net.value.patch[:, :side, :side]
            out["error"][i] = error.T if is_transposed(mode) else error
            out["about"][i] = picture.qp, mode
            i += 1
    for name, array in out.items():
        array.flush()
        os.replace(parts[name], names[name])


def take_samples(
    paths: Sequence[str | os.PathLike],
    folder: str | os.PathLike,
    seed: int = 0,
    scale: float = 1.0,
    on_picture: Callable[[str, int], object] = lambda name, qp: None,
) -> dict[int, int]:
    """Code pictures at several QPs, but for those that are in the folder already, and write samples of all that are.

    Parameters
    ----------
    paths : photos, folders of photos, clips
    folder : of the samples, made if it is not there
    seed, scale : as of `write_samples`
    on_picture : called with the name and the QP of each picture before it is coded

    Returns
    -------
    dict of log2 to number of blocks

    Raises
    ------
    ConfigError : pictures of more than 8 bits
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for k, (name, frame, video_format) in enumerate(read_pictures(paths)):
        content = hashlib.sha256(b"".join(plane.tobytes() for plane in frame)).hexdigest()[:8]
        for usual in QPS:
            encoding = f"{name}-{content}-{usual}"
            if not (folder / f"{encoding}.json").exists():
                qp = usual + SHIFTS[k % len(SHIFTS)]
                on_picture(name, qp)
                _store(folder, encoding, name, code_picture(frame, video_format, qp))
    pictures = load_pictures(folder)
    try:
        drawn = json.loads((folder / DRAWN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        drawn = {}
    if [drawn.get(key) for key in ("seed", "scale", "encodings")] == [seed, scale, [*pictures]]:
        return {int(log2): count for log2, count in drawn["blocks"].items()}
    return write_samples(pictures, folder, seed, scale)


def _store(folder: pathlib.Path, encoding: str, source: str, picture: CodedPicture) -> None:
    """Write a CodedPicture as an encoding of a folder."""
    np.save(folder / f"{encoding}.samples.npy", np.stack(picture[:3]))
    np.save(folder / f"{encoding}.blocks.npy", np.stack(picture[3:5]))
    number = len(list(folder.glob("*.json")))
    _write_json(folder / f"{encoding}.json", {"source": source, "qp": picture.qp, "number": number})


def _encodings(folder: pathlib.Path) -> Iterator[Any]:
    """(name, contents of the JSON file) of the encodings in a folder."""
    for path in sorted(folder.glob("*.json")):
        if path.name != DRAWN:
            yield path.name.removesuffix(".json"), json.loads(path.read_text(encoding="utf-8"))


def load_pictures(folder: pathlib.Path) -> dict[str, CodedPicture]:
    """dict of the name of each encoding in a folder to its CodedPicture, mapped into memory, in the order of coding."""
    pictures = {}
    for name, about in sorted(_encodings(folder), key=lambda found: found[1]["number"]):
        samples, blocks = (np.load(folder / f"{name}.{part}.npy", mmap_mode="r") for part in ("samples", "blocks"))
        original, recon, pred = np.asarray(samples)
        size_log2, mode = np.asarray(blocks)
        pictures[name] = CodedPicture(original, recon, pred, size_log2, mode, about["qp"])
    return pictures
