"""Pictures for whole-codec tests: made from a seed, or cut out of the bundled clip."""

import fractions
import itertools

import numpy as np

from codecsim.formats.video import open_video
from codecsim.picture.planes import Frame, VideoFormat
from codecsim.resources import bundled_clip

FPS = fractions.Fraction(25)


def _smooth(rng, height, width, step):
    """Noise without detail finer than about `step` samples, 0..255."""
    coarse = rng.integers(0, 256, (height // step + 3, width // step + 3)).astype(float)
    fine = np.kron(coarse, np.ones((step, step)))
    for axis in (0, 1):
        fine = sum(np.roll(fine, k, axis) for k in range(step)) / step
    return fine[step : step + height, step : step + width]


def _to_frame(luma, u=None, v=None):
    """A Frame of float planes; chroma defaults to something made of the luma."""
    small = (luma[::2, ::2] + luma[1::2, 1::2]) / 2
    planes = (luma, 255 - small if u is None else u, small / 2 + 64 if v is None else v)
    return Frame(*(np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in planes))


def _pan(rng, width, height, count, finest):
    """Texture that moves by fractions of a sample a picture."""
    margin = 8 + 2 * count
    size = (height + margin, width + margin)
    scene = 0.6 * _smooth(rng, *size, 16) + 0.4 * _smooth(rng, *size, finest)
    for k in range(count):
        x, part = divmod(7 * k, 4)
        moved = (scene[k // 2 :, x:-1] * (4 - part) + scene[k // 2 :, x + 1 :] * part) / 4
        yield _to_frame(moved[:height, :width])


def texture(rng, width, height, count):
    """Fine texture in motion."""
    return _pan(rng, width, height, count, 2)


def edges(rng, width, height, count):
    """Sharp rectangles that move over a gradient, each its own way."""
    y, x = np.mgrid[:height, :width]
    shapes = [
        (*rng.integers(0, (height, width)), *rng.integers(-3, 4, 2), rng.integers(3, 20), rng.integers(256))
        for _ in range(5)
    ]
    for k in range(count):
        luma = 40 + 150 * x / width + 40 * y / height
        for top, left, down, right, size, value in shapes:
            inside = (abs(y - top - k * down) < size) & (abs(x - left - k * right) < size)
            luma = np.where(inside, value, luma)
        yield _to_frame(luma)


def fade(rng, width, height, count):
    """Soft texture that fades to black and moves a little."""
    for k, frame in enumerate(_pan(rng, width, height, count, 8)):
        dark = 1 - k / max(count, 2)
        yield Frame(*((plane * dark).astype(np.uint8) for plane in frame))


def cut(rng, width, height, count):
    """Two scenes: the second begins in the middle."""
    yield from texture(rng, width, height, count // 2)
    yield from edges(rng, width, height, count - count // 2)


def zoom(rng, width, height, count):
    """Texture that comes nearer: no two blocks move alike."""
    scene = _smooth(rng, 2 * height + 2, 2 * width + 2, 4)
    y, x = np.mgrid[:height, :width]
    for k in range(count):
        scale = 1.9 - 0.02 * k
        rows, columns = height + (y - height / 2) * scale, width + (x - width / 2) * scale
        (top, down), (left, right) = (np.divmod(at, 1) for at in (rows, columns))
        top, left = top.astype(int), left.astype(int)
        above, below = (scene[j, left] * (1 - right) + scene[j, left + 1] * right for j in (top, top + 1))
        yield _to_frame(above * (1 - down) + below * down)


def flat(rng, width, height, count):
    """One colour, and a step of one level in the last picture."""
    for k in range(count):
        level = 128.0 + (k == count - 1)
        yield _to_frame(np.full((height, width), level))


def noise(rng, width, height, count):
    """White noise at full amplitude: every level is large."""
    for _ in range(count):
        yield Frame(*(rng.integers(0, 256, (height >> s, width >> s), np.uint8) for s in (0, 1, 1)))


def film(rng, width, height, count):
    """A window of the bundled clip."""
    with open_video(bundled_clip()) as video:
        y = int(rng.integers(0, (video.format.height - height) // 2 + 1)) * 2
        x = int(rng.integers(0, (video.format.width - width) // 2 + 1)) * 2
        for frame in itertools.islice(video.frames, count):
            planes = zip(frame, (0, 1, 1), strict=True)
            yield Frame(*(p[y >> s :, x >> s :][: height >> s, : width >> s].copy() for p, s in planes))


CONTENTS = {f.__name__: f for f in (texture, edges, fade, cut, zoom, flat, noise, film)}


def _with_two_more_bits(rng, frame, count):
    """A Frame of 10 bits whose two lowest ones are noise of `count` values."""
    return Frame(*(4 * plane.astype(np.uint16) + rng.integers(0, count, plane.shape, np.uint16) for plane in frame))


def make_clip(content, width, height, count, seed=0, bit_depth=8):
    """(VideoFormat, list of `count` Frames) of a key of CONTENTS; at 10 bits the two lowest ones are noise."""
    rng = np.random.default_rng(seed)
    frames = list(CONTENTS[content](rng, width, height, count))
    assert len(frames) == count
    if bit_depth == 10:
        frames = [_with_two_more_bits(rng, frame, 1 if content == "flat" else 4) for frame in frames]
    return VideoFormat(width, height, FPS, bit_depth), frames
