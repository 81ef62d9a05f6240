import json

import pytest

from codecsim.errors import FormatError
from codecsim.experiments.compare import compare, read_result


def points(clip="there/a.y4m", rate=1.0, seconds=2.0, count=4):
    return [
        {"input": clip, "width": 352, "height": 288, "frames": 10, "seconds": seconds, "encoder": {}}
        | {"bits": int(rate * 1000 * 2**i), "psnr_y": 30.0 + 2 * i, "psnr_u": 36.0 + i, "psnr_v": 37.0 + i}
        for i in range(count)
    ]


def decoded(results, seconds):
    kept = ("width", "height", "frames", "bits")
    return [{name: result[name] for name in kept} | {"seconds": seconds, "decoder": {}} for result in results]


def test_one_clip():
    (row,) = compare(points(), points("here/a.y4m", rate=0.9, seconds=3.0))
    assert row.bd_rate == pytest.approx({"y": -10, "u": -10, "v": -10})
    assert (row.encoder_time, row.decoder_time, row.warnings) == (pytest.approx(1.5), None, ())


def test_decoder_results_are_matched_by_their_bits():
    anchor, test = points(), points(rate=1.25)
    rows = compare(anchor + decoded(anchor, 1.0), decoded(test, 4.0) + test)
    assert rows[0].decoder_time == pytest.approx(4)


def test_clips_are_kept_apart_and_averaged():
    rows = compare(points("a") + points("b"), points("b", 0.8, 1.0) + points("a", 0.9, 4.0))
    assert [row.clip for row in rows] == ["a", "b", "mean"]
    assert rows[2].bd_rate["y"] == pytest.approx(-15)
    assert rows[2].encoder_time == pytest.approx(1)


def test_clips_of_one_side_and_short_curves_are_warned_of():
    (row,) = compare(points("a") + points("b"), points("a", count=3))
    assert "only on one side: b" in row.warnings
    assert any("3 points" in text for text in row.warnings)
    assert row.encoder_time is None
    with pytest.raises(FormatError, match="no clip in common"):
        compare(points("a"), points("b"))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", json.dumps(points()[0] | {"bits": None}), "\0"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "r.json"
    path.write_text(content)
    with pytest.raises(FormatError, match="r.json"):
        read_result(path)
    path.write_text(json.dumps(points()[0]))
    assert read_result(path) == points()[0]


def test_hashes_do_not_count():
    anchor, test = points(), points()
    for result in test:
        result["bits"] += 900
        result["pictures"] = [{"parts": {"residual": 5, "hashes": 600}}, {"parts": {"hashes": 300}}]
    (row,) = compare(anchor, test)
    assert row.bd_rate == pytest.approx({"y": 0, "u": 0, "v": 0})
