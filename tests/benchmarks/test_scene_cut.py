"""benchmarks/scene_cut.py: clips one behind the other, and a verdict on the worst of them."""

import history
import numpy as np
import pytest
import scene_cut

from codecsim.errors import ConfigError
from codecsim.formats.video import open_video


def test_clips_are_joined(clips, tmp_path):
    path = tmp_path / "both.y4m"
    scene_cut.join((clips / "a.y4m", clips / "b.y4m"), (48, 34), 2, path)
    with open_video(path) as video, open_video(clips / "a.y4m") as a, open_video(clips / "b.y4m") as b:
        found, expected = list(video.frames), [*list(a.frames)[:2], *list(b.frames)[:2]]
    assert len(found) == 4
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.y, two.y[14:48, 8:56])
        np.testing.assert_array_equal(one.u, two.u[7:24, 4:28])
    for size, frames, message in (((66, 34), 2, "do not fit"), ((48, 34), 4, "has 3 pictures; expected 4")):
        with pytest.raises(ConfigError, match=message):
            scene_cut.join((clips / "a.y4m",), size, frames, path)


@pytest.mark.parametrize(("limit", "status"), [(1e9, 0), (-1e9, 1)])
def test_a_small_campaign(clips, tmp_path, capsys, monkeypatch, limit, status):
    monkeypatch.setattr(scene_cut, "LIMIT", limit)
    words = ["--clips", str(clips), "--size", "64x64", "--frames", "3", "-j", "1"]
    words += [
        "--arm",
        "online: --set inter_luma.channels=8",
        "--arm",
        "signalled: --set inter_luma.channels=8 --set inter_luma.control=signalled",
    ]
    arguments = scene_cut.parse(
        [*words, "--database", str(tmp_path / "runs.sqlite"), "--history", str(tmp_path / "h.jsonl")]
    )
    assert scene_cut.campaign(arguments) == status
    text = capsys.readouterr().out
    assert "| clips | online | signalled |" in text and "| b, a |" in text
    kept = history.read(tmp_path / "h.jsonl")
    assert len(kept) == 4 and {figure["of"][:5] for figure in kept} == {"a, b;", "b, a;"}
    assert all(f" {figure['value']:+.2f} |" in text for figure in kept)
    assert f"to be reached: <= +{limit} %: {'missed' if status else 'reached'}" in text


def test_one_clip_has_no_cut(clips, tmp_path):
    words = ["--clips", str(clips), "--clip", "a", "--size", "64x64", "--database", str(tmp_path / "runs.sqlite")]
    with pytest.raises(ConfigError, match="1 clip makes no scene cut"):
        scene_cut.campaign(scene_cut.parse(words))
    with pytest.raises(SystemExit):
        scene_cut.parse(["--clips", ".", "--size", "65x64"])
