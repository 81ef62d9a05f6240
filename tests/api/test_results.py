"""Comparisons, experiments, inspection and tables."""

import json
import sys

import numpy as np
import pytest

import codecsim
from codecsim.errors import FormatError
from tests.api.clips import video


@pytest.fixture(scope="module")
def points():
    """Encodings of one clip at four QPs by filter: {"off": [...], "online": [...]}."""
    made = video(count=3)
    return {
        mode: [codecsim.encode(made, qp=qp, preset="fast", tools={"inter_luma": mode}) for qp in (22, 27, 32, 37)]
        for mode in ("off", "online")
    }


def test_compare(points, tmp_path, capsys):
    found = codecsim.compare(points["off"], points["online"])
    assert found.y is not None and len(found.clips) == 1
    by_dict = codecsim.compare(*([one.result for one in points[mode]] for mode in ("off", "online")))
    paths = {}
    for mode, runs in points.items():
        paths[mode] = [tmp_path / f"{mode}{k}.json" for k in range(4)]
        for path, one in zip(paths[mode], runs, strict=True):
            path.write_text(json.dumps(one.result))
    assert codecsim.compare(paths["off"], paths["online"]).clips == by_dict.clips == found.clips
    assert codecsim.compare(points["off"], points["off"]).y == 0
    assert list(found.to_frame()["y"]) == [found.y]


def test_compare_refuses(points):
    for wrong in ([None], [3], [object()]):
        with pytest.raises(codecsim.ConfigError, match="a result is"):
            codecsim.compare(wrong, points["off"])
    for wrong in (points["off"][0], "a.json", points["off"][0].result, None):
        with pytest.raises(codecsim.ConfigError, match="expected a list of results, one for each QP"):
            codecsim.compare(wrong, points["off"])
    with pytest.raises(FormatError, match="no number 'width'"):
        codecsim.compare([{}], points["off"])
    with pytest.raises(codecsim.ConfigError, match="metric is 'beauty'"):
        codecsim.compare(points["off"], points["off"], metric="beauty")
    with pytest.raises(codecsim.ConfigError, match="confidence"):
        codecsim.compare(points["off"], points["off"], confidence=95)
    with pytest.raises(FormatError, match="--metrics"):
        codecsim.compare(points["off"], points["off"], metric="vmaf")


def test_inspect(points):
    made, encoded = video(count=3), points["online"][1]
    inspection = codecsim.inspect(encoded, original=made)
    pictures = list(inspection)
    assert [picture.index for picture in pictures] == [0, 1, 2]
    for picture, recon in zip(pictures, encoded.recon.frames, strict=True):
        np.testing.assert_array_equal(picture.frame.y, recon.y)
        np.testing.assert_array_equal(picture.data.reconstruction.y[:56, :72], recon.y)
        units = picture.data.coding_units()
        assert (units["size"].astype(int) ** 2).sum() == picture.data.reconstruction.y.size
        frame = picture.to_frame()
        assert list(frame["bits_q8"]) == list(units["bits_q8"])
        assert set(picture.to_frame("prediction").columns) >= {"mv_0_0", "mv_1_1", "ref_idx_0", "merge"}
        assert list(picture.to_frame("transform").columns) == ["x", "y", "size", "cbf"]
    with pytest.raises(codecsim.ConfigError, match="in place of a Video"):
        codecsim.inspect(encoded, original="clip.y4m")
    with pytest.raises(codecsim.ConfigError, match="units is 'ctu'"):
        pictures[0].to_frame("ctu")
    table = inspection.to_frame()
    assert list(table["bits"]) == [report.bits for report in encoded.pictures]
    assert np.allclose(table["psnr_y"], [report.psnr_y for report in encoded.pictures])


def test_tables(points):
    frame = points["online"][0].to_frame()
    assert len(frame) == 3 and frame["parts.residual"].sum() > 0
    assert list(codecsim.decode(points["online"][0]).to_frame()["bits"]) == list(frame["bits"])


def test_tables_need_pandas(points, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(codecsim.ConfigError, match=r"pip install '\.\[notebook\]'") as error:
        points["off"][0].to_frame()
    assert "\n" not in str(error.value)


def test_sweep(tmp_path):
    video(count=2).save(tmp_path / "clip.y4m")
    text = 'clips = ["clip.y4m"]\nqps = [27, 37]\n[common]\npreset = "fast"\n[arms.off]\nfilter = "off"\n[arms.on]\n'
    (tmp_path / "small.toml").write_text(text)
    done = codecsim.sweep(tmp_path / "small.toml", workers=1, quiet=True)
    assert not done.failed and len(done.results) == 4 and len(done.to_frame()) == 4
    assert done.database == str(tmp_path / "small.sqlite") and done.markdown().startswith("# small")
    again = codecsim.sweep(tmp_path / "small.toml", workers=1, quiet=True)
    assert again.results == done.results
    with pytest.raises(codecsim.ConfigError, match="none.toml"):
        codecsim.sweep(tmp_path / "none.toml")
    with pytest.raises(codecsim.ConfigError, match="path of a TOML file"):
        codecsim.sweep(None)
