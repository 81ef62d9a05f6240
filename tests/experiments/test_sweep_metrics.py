"""Sweeps that measure more than PSNR: the figures are those of `codecsim metrics`, none is lost, none is missing."""

import dataclasses
import json

import pytest

from codecsim.cli import run as codecsim
from codecsim.codec.config import EncoderConfig
from codecsim.errors import ConfigError
from codecsim.experiments import vmaf
from codecsim.experiments.clips import read_clip
from codecsim.experiments.compare import METRICS
from codecsim.experiments.database import Database
from codecsim.experiments.jobs import run_all
from codecsim.experiments.quality import QUALITY_FIELDS
from codecsim.experiments.report.overview import comparisons, quality_comparisons
from codecsim.experiments.report.study import read_study
from codecsim.experiments.segments import join, split
from codecsim.experiments.work import Job, Task, code

HEAD = 'clips = ["a.y4m"]\nqps = [27, 37]\nframes = 4\n'
ARM = '[common]\npreset = "fast"\n[arms.off]\nfilter = "off"\n'
SSIM = {f"ssim_{plane}" for plane in "yuv"}


def has_vmaf():
    try:
        return bool(vmaf.find_ffmpeg())
    except ConfigError:
        return False


ALL = [name for name in METRICS if name != "psnr" and (name != "vmaf" or has_vmaf())]


@pytest.fixture
def sweep(clips, tmp_path, capsys):
    """Function that runs an experiment that begins with some lines; returns the printed report, and standard error."""
    (tmp_path / "a.y4m").symlink_to(clips / "a.y4m")

    def sweep(lines="", *words, status=0, arms=ARM):
        (tmp_path / "e.toml").write_text(HEAD + lines + arms)
        assert codecsim(["sweep", str(tmp_path / "e.toml"), "--jobs", "1", "--json", *words]) == status
        printed = capsys.readouterr()
        return json.loads(printed.out) if printed.out else None, printed.err

    return sweep


def kept_results(path):
    """Results of a database, in the order of their keys."""
    with Database(path) as kept:
        return [json.loads(row["result"]) for row in sorted(kept.runs(), key=lambda row: row["key"])]


def quality_of(result):
    """What a result and its pictures have beside PSNR."""
    return [{name: found[name] for name in QUALITY_FIELDS if name in found} for found in (result, *result["pictures"])]


def test_figures_are_those_of_the_decoded_stream(sweep, clips, tmp_path, capsys):
    report, _ = sweep(f"metrics = {ALL}\n")
    point = report["results"][1]
    words = ["--preset", "fast", "--filter", "off", "--qp", "37", "--frames", "4", "--quiet"]
    assert codecsim(["encode", str(clips / "a.y4m"), "-o", str(tmp_path / "s.bin"), *words]) == 0
    assert codecsim(["decode", str(tmp_path / "s.bin"), "-o", str(tmp_path / "d.y4m"), "--quiet"]) == 0
    capsys.readouterr()
    words = ["--metrics", ",".join(ALL), "--frames", "4", "--json", "--quiet"]
    assert codecsim(["metrics", str(clips / "a.y4m"), str(tmp_path / "d.y4m"), *words]) == 0
    measured = json.loads(capsys.readouterr().out)
    with Database(tmp_path / "e.sqlite") as kept:
        result = json.loads(kept.find(point["key"], metrics=ALL)["result"])
    assert quality_of(result) == quality_of(measured)
    assert {name: point[name] for name in quality_of(measured)[0]} == quality_of(measured)[0]
    assert set(quality_of(result)[0]) >= SSIM and point["psnr_y"] == pytest.approx(result["psnr_y"])


def test_a_run_without_them_is_measured_anew_and_nothing_is_lost(sweep, tmp_path):
    report, _ = sweep()
    assert not SSIM & set(report["results"][0]) and quality_of(kept_results(tmp_path / "e.sqlite")[0])[0] == {}
    plan, _ = sweep('metrics = ["ssim"]\n', "--dry-run")
    assert [missing["key"] for missing in plan["missing"]] == [point["key"] for point in report["results"]]
    again, said = sweep('metrics = ["ssim"]\n')
    assert "2 runs to do, 0 already" in said
    for old, new in zip(report["results"], again["results"], strict=True):
        assert set(new) - set(old) == SSIM
        for name in ("key", "stream_sha256", "bits", "psnr_y"):
            assert new[name] == old[name]
    with_ssim = kept_results(tmp_path / "e.sqlite")
    more, said = sweep('metrics = ["ms-ssim"]\ndecode = false\n')
    assert "2 runs to do, 0 already" in said and all(point["decoder_seconds"] for point in more["results"])
    for lines in ('metrics = ["ms-ssim", "ssim"]\n', 'metrics = ["ssim"]\n', "metrics = []\n", ""):
        assert "0 runs to do, 2 already" in sweep(lines)[1]
    for old, new in zip(with_ssim, kept_results(tmp_path / "e.sqlite"), strict=True):
        own, before = quality_of(new), quality_of(old)
        assert [{n: found[n] for n in found if n in SSIM} for found in own] == before
        assert all(len(found) == 6 for found in own)


def test_figures_of_other_pictures_are_not_taken_over(clips, tmp_path):
    clip = read_clip(clips / "a.y4m")
    job = Job(clip, EncoderConfig(qp=37, frames=2, filter="off", preset="fast"), "off", ("ssim",))
    done = code(Task(job), decode=False)
    other = code(Task(dataclasses.replace(job, config=dataclasses.replace(job.config, qp=27), metrics=())), False)
    with Database(tmp_path / "e.sqlite") as kept:
        for found in (done, other):
            kept.add("k", clip, job.config, "v", found)
        assert kept.find("k") is not None and kept.find("k", metrics=["ssim"]) is None


def test_a_sweep_in_pieces_has_the_figures_of_one_without(sweep, tmp_path):
    lines, arms = f"metrics = {ALL}\n", ARM + "intra-period = 2\n"
    sweep(lines, arms=arms)
    sweep(lines, "--segments", "2", "-o", str(tmp_path / "pieces.sqlite"), arms=arms)
    whole, pieces = (kept_results(tmp_path / f"{name}.sqlite") for name in ("e", "pieces"))
    assert [quality_of(result) for result in pieces] == [quality_of(result) for result in whole]
    assert all(len(found) == len(ALL) * 3 - 2 * ("vmaf" in ALL) for result in pieces for found in quality_of(result))


def test_pieces_that_were_not_measured_are_coded_again(clips, tmp_path, capsys):
    clip = read_clip(clips / "a.y4m")
    job = Job(clip, EncoderConfig(qp=37, frames=6, intra_period=2, filter="off", preset="fast"), "off", ("ssim",))
    plain = dataclasses.replace(job, metrics=())
    pieces = split(job.config, 3)
    done = [code(Task(found, piece), decode=True) for found, piece in zip((job, plain, plain), pieces, strict=True)]
    with Database(tmp_path / "e.sqlite") as kept:
        kept.add_version("v")
        for piece, left in zip(pieces, done, strict=True):
            kept.add_piece(job.key("v"), piece, left)
    assert run_all([job], tmp_path / "e.sqlite", "v", 1, segments=3) == []
    assert "2 runs to do" in capsys.readouterr().err
    with Database(tmp_path / "e.sqlite") as kept:
        row = kept.find(job.key("v"), decoded=True, metrics=["ssim"])
        assert kept.pieces(job.key("v")) == {}
    assert row["stream_sha256"] == join(job, done).result["stream_sha256"]
    assert all(set(found) == SSIM for found in quality_of(json.loads(row["result"])))


def test_tables_of_each_metric(clips, tmp_path, capsys):
    (tmp_path / "a.y4m").symlink_to(clips / "a.y4m")
    thin = '[arms.thin]\nfilter = "off"\nsearch.sao = false\n'
    text = HEAD.replace("[27, 37]", "[22, 27, 32, 37]").replace("frames = 4", "frames = 2")
    (tmp_path / "e.toml").write_text(text + 'metrics = ["ms-ssim"]\n' + ARM + thin)
    assert codecsim(["sweep", str(tmp_path / "e.toml"), "--quiet", "--jobs", "1"]) == 0
    printed = capsys.readouterr().out
    assert printed.count(" against off") == 2 and "MS-SSIM in dB" in printed
    study = read_study(tmp_path / "e.sqlite")
    for found in (comparisons(study), quality_comparisons(study)["ms-ssim"]):
        assert "\n".join(found["ldp"]["thin"].markdown()) in printed
    assert found["ldp"]["thin"].rows[0].values[1] is not None


def test_what_cannot_be_measured_is_told_before_anything_runs(sweep, tmp_path, monkeypatch):
    monkeypatch.setattr(vmaf, "_packaged_ffmpeg", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    _, error = sweep('metrics = ["ssim", "vmaf"]\n', status=2)
    assert "e.toml, line 4: vmaf needs an ffmpeg with libvmaf: there is none; pip install" in error
    assert error.count("\n") == 1 and not (tmp_path / "e.sqlite").exists()
