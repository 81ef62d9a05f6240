"""Video clips made from photographs, as material to train on whose terms are those of the photographs.

A clip shows a photo under smooth motion of sub-pixel precision (pan, zoom, rotation, a slow wave as of water or leaves)
and often a second photo before it, cut out by a soft mask, on a path of its own; so there is motion that blocks follow
well, motion that they follow badly, and background that appears.  Brightness drifts, the shutter blurs motion, and the
sensor adds noise, which is what tells one picture from the next in real video.
"""

import dataclasses
import fractions
import json
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from codecsim.errors import ConfigError
from codecsim.formats.output import atomic_output
from codecsim.formats.y4m import write_y4m_frame, write_y4m_header
from codecsim.picture.planes import Frame, VideoFormat

SIZES = ((256, 192), (288, 176), (320, 176), (288, 240), (320, 240), (352, 288))
FPS = fractions.Fraction(25)
MEAN, POINT = CHROMA = ("mean", "point")  # where the chroma of 2x2 samples comes from
PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
_OVERSAMPLING = 2  # samples a side that are averaged to one: the area of a sensor's pixel
_SHUTTER = 3  # moments averaged to one picture
_MIN_PHOTO = 160  # samples a side


@dataclasses.dataclass(frozen=True)
class Path:
    """Motion of a layer: where the middle of the picture lies in the photo, and how the photo lies there.

    All but `scale` and `angle` are in samples of the picture, or in changes a picture.
    """

    centre: tuple  # (x, y) in samples of the photo
    scale: float  # samples of the photo for one of the picture
    angle: float  # radians
    velocity: tuple  # (x, y)
    shake: float  # amplitude of a slow oscillation of the pan
    period: float  # pictures, of it
    zoom: float  # log of the change of scale
    spin: float  # radians
    wave: float  # amplitude of the wave
    wave_length: float
    phase: float

    def source(self, x: np.ndarray, y: np.ndarray, moment: float) -> tuple[np.ndarray, np.ndarray]:
        """Positions in the photo of positions in the picture, both (h, w) float32, about its middle."""
        swing = self.shake * np.sin(2 * np.pi * moment / self.period + self.phase)
        turn = self.angle + self.spin * moment
        scale = self.scale * np.exp(self.zoom * moment)
        if self.wave:
            k, now = 2 * np.pi / self.wave_length, 2 * np.pi * moment / self.period
            x, y = (
                x + self.wave * np.sin(k * (y + 0.4 * x) + now + self.phase),
                y + 0.5 * self.wave * np.sin(k * (x - 0.3 * y) + 1.3 * now),
            )
        x = x + self.velocity[0] * moment + swing
        y = y + self.velocity[1] * moment + 0.6 * swing
        c, s = scale * np.cos(turn), scale * np.sin(turn)
        to_x = self.centre[0] + c * x - s * y
        to_y = self.centre[1] + s * x + c * y
        return to_x.astype(np.float32), to_y.astype(np.float32)


def find_photos(paths: Sequence[pathlib.Path]) -> list[pathlib.Path]:
    """Files of photos among `paths`, files or folders, in order of their names.

    Raises
    ------
    ConfigError : a path that is none, or no photo at all
    """
    found = []
    for path in map(pathlib.Path, paths):
        if path.is_dir():
            found += sorted(item for item in path.iterdir() if item.suffix.lower() in PHOTO_SUFFIXES)
        elif path.is_file():
            found.append(path)
        else:
            raise ConfigError(f"{path}: no such file or folder")
    if not found:
        raise ConfigError(f"no photos ({', '.join(PHOTO_SUFFIXES)}) in {', '.join(map(str, paths))}")
    return found


def read_photo(path: pathlib.Path) -> np.ndarray:
    """A photo as (h, w, 3) float32 BGR, 0..255.

    Raises
    ------
    ConfigError : no photo that OpenCV reads, or a small one
    """
    import cv2

    photo = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if photo is None:
        raise ConfigError(f"{path}: no photo that OpenCV can read")
    if min(photo.shape[:2]) < _MIN_PHOTO:
        raise ConfigError(f"{path}: {photo.shape[1]}x{photo.shape[0]} samples; at least {_MIN_PHOTO} a side are needed")
    return photo.astype(np.float32)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def draw_path(rng: np.random.Generator, photo: np.ndarray, size: tuple[int, int], still: bool = False) -> Path:
    """A random Path for a layer from a (h, w, 3) photo; `still`: a camera that stands.

    size : (width, height) of the picture
    """
    h, w = photo.shape[:2]
    largest = min(2.0, 0.95 * w / size[0], 0.95 * h / size[1])
    scale = _log_uniform(rng, min(0.8, largest), max(0.8, largest))
    direction, speed = rng.uniform(0, 2 * np.pi), _log_uniform(rng, 0.1, 6)
    moves = 0.0 if still else 1.0
    waves = rng.random() < 0.4
    return Path(
        centre=(w * rng.uniform(0.35, 0.65), h * rng.uniform(0.35, 0.65)),
        scale=scale,
        angle=rng.normal(0, 0.1),
        velocity=(moves * speed * np.cos(direction), moves * speed * np.sin(direction)),
        shake=moves * _log_uniform(rng, 0.05, 4),
        period=rng.uniform(6, 40),
        zoom=moves * rng.normal(0, 0.008),
        spin=moves * rng.normal(0, 0.006),
        wave=_log_uniform(rng, 0.1, 2.5) if waves else 0.0,
        wave_length=rng.uniform(40, 200),
        phase=rng.uniform(0, 2 * np.pi),
    )


def soft_mask(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """(h, w) float32 in 0..1: random blobs with edges one to four samples wide, about a third of a photo.

    size : (w, h)
    """
    import cv2

    w, h = size
    noise = cv2.GaussianBlur(rng.standard_normal((h, w)).astype(np.float32), (0, 0), rng.uniform(0.06, 0.2) * min(h, w))
    level = np.quantile(noise, rng.uniform(0.5, 0.8))
    slope = np.abs(cv2.Sobel(noise, cv2.CV_32F, 1, 0, scale=0.125)).mean() + 1e-12
    return np.clip((noise - level) / (slope * rng.uniform(1, 4)) + 0.5, 0, 1)


class _Layer:
    """A photo with its path, and what covers it."""

    def __init__(self, photo: np.ndarray, path: Path, mask: np.ndarray | None = None):
        self.photo, self.path, self.mask = photo, path, mask

    def render(self, x: np.ndarray, y: np.ndarray, moment: float, below: np.ndarray | None) -> np.ndarray:
        import cv2

        to_x, to_y = self.path.source(x, y, moment)
        image = cv2.remap(self.photo, to_x, to_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
        if self.mask is None or below is None:
            return image
        share = cv2.remap(self.mask, to_x, to_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)[..., None]
        return below + share * (image - below)


def make_clip(
    photos: Sequence[np.ndarray], size: tuple[int, int], n_frames: int, rng: np.random.Generator, chroma: str = MEAN
) -> Iterator[Frame]:
    """Pictures of one clip.

    Parameters
    ----------
    photos : one or two (h, w, 3) float32 BGR photos, 0..255: background and what moves before it
    size : (width, height), even
    n_frames : int
    rng : numpy Generator; the clip is a function of its state
    chroma : str, of CHROMA, see to_frame

    Yields
    ------
    Frame of 8 bits
    """
    import cv2

    width, height = size
    still = rng.random() < 0.15
    layers = [_Layer(photos[0], draw_path(rng, photos[0], size, still))]
    for photo in photos[1:]:
        mask = soft_mask(rng, (photo.shape[1], photo.shape[0]))
        layers.append(_Layer(photo, draw_path(rng, photo, size), mask))
    noise = _log_uniform(rng, 0.2, 3) * (rng.random() < 0.75)
    drift, flicker = rng.normal(0, 0.002) * (rng.random() < 0.3), 0.004 * (rng.random() < 0.15)
    shutter = rng.uniform(0.1, 0.7)
    blur = rng.uniform(0.4, 0.9) * (rng.random() < 0.3)
    columns = (np.arange(_OVERSAMPLING * width, dtype=np.float32) + 0.5) / _OVERSAMPLING - width / 2
    rows = (np.arange(_OVERSAMPLING * height, dtype=np.float32) + 0.5) / _OVERSAMPLING - height / 2
    x, y = np.meshgrid(columns, rows)
    for index in range(n_frames):
        total: np.ndarray = np.zeros((height, width, 3), np.float32)
        for part in range(_SHUTTER):
            moment = index + shutter * part / _SHUTTER
            image = layers[0].render(x, y, moment, None)
            for layer in layers[1:]:
                image = layer.render(x, y, moment, image)
            total += cv2.resize(image, size, interpolation=cv2.INTER_AREA) / _SHUTTER
        if blur:
            total = cv2.GaussianBlur(total, (0, 0), blur)
        total *= 1 + drift * index + flicker * rng.standard_normal()
        if noise:
            grain = rng.standard_normal(total.shape).astype(np.float32)
            total += noise * np.sqrt(0.3 + np.clip(total, 0, 255) / 180) * grain
        yield to_frame(total, chroma)


def to_frame(image: np.ndarray, chroma: str = MEAN) -> Frame:
    """4:2:0 Frame of a (h, w, 3) float32 BGR image, ITU-R BT.601 in the range of video.

    chroma : str, of CHROMA: the mean of 2x2 samples, or that of the upper left one
    """
    import cv2

    h, w = image.shape[:2]
    image = np.clip(np.rint(image), 0, 255)
    packed = cv2.cvtColor(image.astype(np.uint8), cv2.COLOR_BGR2YUV_I420)
    luma = packed[:h].copy()
    if chroma == POINT:  # as OpenCV does
        return Frame(luma, *packed[h:].reshape(2, h // 2, w // 2).copy())
    blue, green, red = np.moveaxis(image.reshape(h // 2, 2, w // 2, 2, 3).mean((1, 3)), -1, 0)
    planes = (-37.797 * red - 74.203 * green + 112 * blue, 112 * red - 93.786 * green - 18.214 * blue)
    return Frame(luma, *(np.rint(128 + plane / 255).astype(np.uint8) for plane in planes))


def write_clips(
    photo_paths: Sequence[pathlib.Path],
    folder: pathlib.Path,
    count: int,
    seed: int = 0,
    n_frames: int = 17,
    chroma: str = MEAN,
    on_clip: Callable[..., Any] = lambda path: None,
) -> list[pathlib.Path]:
    """Write `count` clips `synthetic_000.y4m` ... and `manifest.json` into a folder; clips that are there are kept.

    Clip k depends on photos, seed, length, chroma and k alone.  Each photo is the background as often as any other.

    Parameters
    ----------
    photo_paths : list of files
    folder : path, made if need be
    count, seed, n_frames : int
    chroma : str, of CHROMA, see to_frame
    on_clip : called with the path of each clip

    Returns
    -------
    list of pathlib.Path

    Raises
    ------
    ConfigError : a photo that cannot be read; a folder that holds clips made with other settings
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {
        "format": "codecsim synthetic clips 2",
        "seed": seed,
        "frames": n_frames,
        "sizes": [f"{w}x{h}" for w, h in SIZES],
        "chroma": chroma,
        "photos": [path.name for path in photo_paths],
    }
    described = folder / "manifest.json"
    if described.exists() and json.loads(described.read_text(encoding="utf-8")) != manifest:
        raise ConfigError(f"{folder}: holds clips made with other settings; choose another folder")
    described.write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    clips = []
    for index in range(count):
        path = folder / f"synthetic_{index:03d}.y4m"
        clips.append(path)
        if not path.exists():
            _write_clip(path, photo_paths, index, seed, n_frames, chroma)
        on_clip(path)
    return clips


def _write_clip(
    path: pathlib.Path, photo_paths: Sequence[pathlib.Path], index: int, seed: int, n_frames: int, chroma: str
) -> None:
    rng = np.random.default_rng((seed, index))
    chosen = [photo_paths[index % len(photo_paths)]]
    if rng.random() < 0.7:
        chosen.append(photo_paths[int(rng.integers(len(photo_paths)))])
    size = SIZES[rng.integers(len(SIZES))]
    with atomic_output(path) as file:
        write_y4m_header(file, VideoFormat(*size, FPS))
        for frame in make_clip([read_photo(photo) for photo in chosen], size, n_frames, rng, chroma):
            write_y4m_frame(file, frame)
