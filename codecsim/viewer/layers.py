"""Pictures to look at: the layers of a decoded picture, as PNG."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from codecsim.errors import ConfigError
from codecsim.extras import needed

# What is kept of a picture: planes Y, U and V one below the other, (3 h / 2, w) as OpenCV has them.
PICTURE, UNFILTERED, PREDICTION, FILTERED, SOURCE = "picture", "unfiltered", "prediction", "filtered", "source"
KEPT = (PICTURE, UNFILTERED, PREDICTION, FILTERED, SOURCE)
# Differences: first less second.
DIFFERENCES = {
    "residual": (UNFILTERED, FILTERED),
    "filter": (FILTERED, PREDICTION),
    "loop": (PICTURE, UNFILTERED),
}
HEAT = {"error": (PICTURE, SOURCE)}
LAYERS = (*KEPT, *DIFFERENCES, *HEAT)
COMPONENTS = ("yuv", "y", "u", "v")
GAINS = (1, 2, 4, 8, 16)


def needs_source(layer: str) -> bool:
    """Whether a layer shows the original."""
    return SOURCE in (layer, *HEAT.get(layer, ()))


def stack_planes(planes: Iterable[np.ndarray], width: int, height: int) -> np.ndarray:
    """Planes of the true size as one (3 h / 2, w) array: Y, then U and V side by side in rows of half the width.

    Parameters
    ----------
    planes : sequence of three arrays of at least that size, of the same dtype
    """
    y, u, v = (plane[: height >> s, : width >> s] for plane, s in zip(planes, (0, 1, 1), strict=True))
    return np.concatenate([y.ravel(), u.ravel(), v.ravel()]).reshape(-1, width)


def split_planes(stacked: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y, U and V of what `stack_planes` made."""
    height, width = 2 * stacked.shape[0] // 3, stacked.shape[1]
    y, u, v = np.split(stacked.ravel(), [height * width, height * width * 5 // 4])
    half = height // 2, width // 2
    return y.reshape(height, width), u.reshape(half), v.reshape(half)


def render(
    layer: str, kept: Callable[[str], np.ndarray], bit_depth: int, component: str = "yuv", gain: int = 1
) -> bytes:
    """A layer as PNG, in the size of the picture or, of U and V alone, of theirs.

    Parameters
    ----------
    layer : one of LAYERS
    kept : function of one of KEPT to its stacked planes
    bit_depth : int, of the samples
    component : one of COMPONENTS; of a heat map `yuv` is Y
    gain : one of GAINS, of differences and heat maps

    Returns
    -------
    bytes

    Raises
    ------
    ConfigError : no such layer, component or gain
    """
    for value, allowed, name in ((layer, LAYERS, "layer"), (component, COMPONENTS, "component"), (gain, GAINS, "gain")):
        if value not in allowed:
            raise ConfigError(f"{name} {value!r}: expected one of {', '.join(map(str, allowed))}")
    if layer in KEPT:
        image = _to_8_bits(kept(layer), bit_depth)
    else:
        first, second = (kept(name) for name in (DIFFERENCES | HEAT)[layer])
        difference = first.astype(np.int32) - second
        if layer in HEAT:
            return _heat_map(difference, bit_depth, component, gain)
        image = np.clip(128 + (difference * gain >> (bit_depth - 8)), 0, 255).astype(np.uint8)
    if component == "yuv":
        cv2 = _opencv()
        return _png(cv2.cvtColor(image, cv2.COLOR_YUV2BGR_I420))
    return _png(split_planes(image)[COMPONENTS.index(component) - 1])


def _heat_map(difference: np.ndarray, bit_depth: int, component: str, gain: int) -> bytes:
    """Absolute differences from black over red and yellow to white: 64 samples of 8 bits at gain 1."""
    plane = split_planes(difference)[max(COMPONENTS.index(component) - 1, 0)]
    strength = np.minimum(np.abs(plane) * (4 * gain) >> (bit_depth - 8), 255).astype(np.uint8)
    cv2 = _opencv()
    return _png(cv2.applyColorMap(strength, cv2.COLORMAP_INFERNO))


def _to_8_bits(samples: np.ndarray, bit_depth: int) -> np.ndarray:
    if samples.dtype == np.uint8:
        return samples
    shift = bit_depth - 8
    if not shift:
        return samples.astype(np.uint8)
    return np.minimum((samples.astype(np.int32) + (1 << (shift - 1))) >> shift, 255).astype(np.uint8)


def _png(image: np.ndarray) -> bytes:
    cv2 = _opencv()
    fast = [cv2.IMWRITE_PNG_COMPRESSION, 1]  # the page is on the same machine
    return cv2.imencode(".png", image, fast)[1].tobytes()


def _opencv() -> Any:
    return needed("cv2", "view")
