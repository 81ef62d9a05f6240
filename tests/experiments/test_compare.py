import json

import pytest

from codecsim.errors import FormatError
from codecsim.experiments.bootstrap import confidence_of_mean
from codecsim.experiments.compare import compare, decibels, read_result


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
    """In results of the first form, which had no version, they were among the bits."""
    anchor, test = points(), points()
    for result in test:
        result["bits"] += 900
        result["pictures"] = [{"parts": {"residual": 5, "hashes": 600}}, {"parts": {"hashes": 300}}]
    (row,) = compare(anchor, test)
    assert row.bd_rate == pytest.approx({"y": 0, "u": 0, "v": 0})


def with_quality(results, **figures):
    """Results with more figures, each a function of the point's number."""
    return [result | {name: figure(i) for name, figure in figures.items()} for i, result in enumerate(results)]


def test_similarities_are_compared_in_decibels():
    assert decibels(0.99) == pytest.approx(20)
    assert decibels(1.0) == decibels(1 - 1e-16) == 100
    quality = {"ssim_y": lambda i: 1 - 10 ** -(1 + i / 3), "ssim_u": lambda i: 0.9 + 0.02 * i}
    anchor, test = with_quality(points(), **quality), with_quality(points(rate=0.9), **quality)
    (row,) = compare(anchor, [result | {"ssim_v": 0.5} for result in test], "ssim")
    assert row.bd_rate == pytest.approx({"y": -10, "u": -10})
    # a middle point that is worse by 1 dB counts as in a curve of decibels
    test[1]["ssim_y"] = 1 - 10 ** -(1 + 1 / 3 - 0.1)
    in_decibels = [[r | {"psnr_y": decibels(r["ssim_y"])} for r in results] for results in (anchor, test)]
    assert compare(anchor, test, "ssim")[0].bd_rate["y"] == compare(*in_decibels)[0].bd_rate["y"] > -10


def test_vmaf_has_one_figure_and_its_ceiling():
    anchor = with_quality(points(), vmaf=lambda i: 70 + 10 * i)
    (row,) = compare(anchor, with_quality(points(rate=0.5), vmaf=lambda i: 70 + 10 * i), "vmaf")
    assert row.bd_rate == pytest.approx({"y": -50})
    assert row.warnings == tuple(
        f"Y: {side}: saturated, 1 of 4 points have the most that can be, 100" for side in ("anchor", "test")
    )


def test_results_without_the_metric_are_refused():
    with pytest.raises(FormatError, match="a.y4m: a result has no 'ms_ssim_y'; encode with --metrics ms-ssim"):
        compare(points(), points(), "ms-ssim")


def test_the_mean_has_a_confidence_interval():
    rates = {"a": 0.9, "b": 0.8, "c": 0.85, "d": 0.97}
    anchor, test = [], []
    for clip, rate in rates.items():
        anchor += points(clip)
        test += points(clip, rate)
    rows = compare(anchor, test, level=0.8)
    assert [row.confidence for row in rows[:-1]] == [{}] * 4
    assert rows[-1].confidence["y"] == confidence_of_mean([row.bd_rate["y"] for row in rows[:-1]], 0.8)
    low, high = rows[-1].confidence["y"]
    assert -20 < low < rows[-1].bd_rate["y"] < high < -3
    assert compare(points("a") + points("b"), points("a") + points("b"))[-1].confidence["y"] is None
