import json

import cv2
import numpy as np
import pytest

from codecsim.errors import ConfigError
from codecsim.formats.y4m import read_y4m_frames, read_y4m_header
from codecsim.training.synthetic import MEAN, POINT, Path, find_photos, make_clip, soft_mask, to_frame, write_clips

PATH = {
    "centre": (100.0, 80.0), "scale": 1.0, "angle": 0.0, "velocity": (1.5, -0.5), "shake": 0.0, "period": 10.0,
    "zoom": 0.0, "spin": 0.0, "wave": 0.0, "wave_length": 50.0, "phase": 0.0,
}  # fmt: skip


def texture(seed, size=(200, 220)):
    noise = np.random.default_rng(seed).standard_normal((*size, 3)).astype(np.float32)
    return np.clip(128 + 400 * cv2.GaussianBlur(noise, (0, 0), 2.5), 0, 255)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for k in range(2):
        cv2.imwrite(str(folder / f"{k}.png"), texture(k))
    (folder / "notes.txt").write_text("no photo")
    return folder


def read(path):
    with open(path, "rb") as file:
        video_format = read_y4m_header(file, str(path))
        return video_format, list(read_y4m_frames(file, video_format, str(path)))


def test_path_moves_as_it_says():
    x = np.zeros((1, 1), np.float32)
    assert [float(v[0, 0]) for v in Path(**PATH).source(x, x, 4)] == [106.0, 78.0]
    twice = Path(**PATH | {"scale": 2.0, "zoom": np.log(1.5)})
    np.testing.assert_allclose([v[0, 0] for v in twice.source(x + 2, x, 1)], [100 + 3 * 3.5, 80 - 3 * 0.5], rtol=1e-6)


def test_clips_depend_on_photos_seed_and_index_alone(photos, tmp_path, monkeypatch):
    files = find_photos([photos])
    assert [path.name for path in files] == ["0.png", "1.png"]
    sizes = ((64, 48), (48, 64))
    monkeypatch.setattr("codecsim.training.synthetic.SIZES", sizes)
    first = write_clips(files, tmp_path / "a", 3, seed=5, n_frames=3)
    kept = first[1].read_bytes()
    first[1].unlink()
    write_clips(files, tmp_path / "a", 3, seed=5, n_frames=3)
    assert first[1].read_bytes() == kept
    other = write_clips(files, tmp_path / "b", 1, seed=6, n_frames=3)
    assert other[0].read_bytes() != first[0].read_bytes()
    video_format, frames = read(first[2])
    assert (video_format.width, video_format.height) in sizes and len(frames) == 3
    assert json.loads((tmp_path / "a" / "manifest.json").read_text())["photos"] == ["0.png", "1.png"]
    with pytest.raises(ConfigError, match="other settings"):
        write_clips(files, tmp_path / "a", 3, seed=6, n_frames=3)


def test_pictures_follow_the_motion():
    frames = [f.y.astype(int) for f in make_clip([texture(3)], (96, 64), 2, np.random.default_rng(2))]
    here = np.abs(frames[1] - frames[0])[16:-16, 16:-16].mean()
    shifted = min(
        np.abs(np.roll(frames[1], (dy, dx), (0, 1)) - frames[0])[16:-16, 16:-16].mean()
        for dy in range(-8, 9)
        for dx in range(-8, 9)
    )
    assert 0 < shifted <= here and frames[0].std() > 5


def test_mask_has_both_sides_and_soft_edges():
    mask = soft_mask(np.random.default_rng(1), (160, 120))
    assert mask.min() == 0 and mask.max() == 1 and 0.1 < mask.mean() < 0.6
    assert 0 < np.mean((mask > 0.1) & (mask < 0.9)) < 0.3


def test_wrong_photos_are_named(photos, tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        find_photos([tmp_path / "none"])
    with pytest.raises(ConfigError, match="no photos"):
        find_photos(
            [
                tmp_path / "photos" / "..",
            ]
        )
    with pytest.raises(ConfigError, match="OpenCV"):
        write_clips([photos / "notes.txt"], tmp_path / "c", 1)
    cv2.imwrite(str(photos / "small.png"), np.zeros((20, 20, 3)))
    with pytest.raises(ConfigError, match="20x20"):
        write_clips([photos / "small.png"], tmp_path / "d", 1)


def test_chroma_of_four_samples():
    """BT.601, one sample at a time; within one of it, since OpenCV's own constants are rounded."""
    image = texture(3, (8, 12)) + np.random.default_rng(0).normal(0, 40, (8, 12, 3)).astype(np.float32)
    image = np.rint(np.clip(image, 0, 255))
    mean, point = to_frame(image, MEAN), to_frame(image, POINT)
    np.testing.assert_array_equal(mean.y, point.y)
    far = 0
    for y, x in np.ndindex(4, 6):
        four = [image[2 * y + j, 2 * x + i] for j in range(2) for i in range(2)]
        for frame, (blue, green, red) in ((mean, sum(four) / 4), (point, four[0])):
            u = 128 + (112 * blue - 74.203 * green - 37.797 * red) / 255
            v = 128 + (112 * red - 93.786 * green - 18.214 * blue) / 255
            assert abs(frame.u[y, x] - u) <= 1 and abs(frame.v[y, x] - v) <= 1
        far += abs(int(mean.u[y, x]) - int(point.u[y, x])) > 2
    assert far > 6
