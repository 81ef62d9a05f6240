"""Sweeps on a Dask cluster: the same bits as without one, and clear words where something is missing."""

import json
import sqlite3

import pytest

from codecsim.cli import run as codecsim
from codecsim.errors import CodecError, ConfigError
from codecsim.experiments import cluster
from codecsim.experiments.clips import CLIP_FOLDERS, Clip, locate_clip, read_clip
from codecsim.resources import bundled_clip

distributed = pytest.importorskip("distributed")
TEXT = """
clips = ["*.y4m"]
configs = ["ldp", "ra"]
qps = [27, 37]
frames = 4
[common]
preset = "fast"
[arms.off]
filter = "off"
intra-period = 8
[arms.online]
inter_luma = {channels = 8, experts = "online,rls"}
chroma-filter = "online"
"""


@pytest.fixture(scope="module")
def scheduler():
    """Address of a cluster of two worker processes of this machine."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", host="127.0.0.1"
    ) as found:
        yield found.scheduler_address


@pytest.fixture
def experiment(clips, tmp_path):
    """Path of an experiment beside two clips."""
    for name in "ab":
        (tmp_path / f"{name}.y4m").symlink_to(clips / f"{name}.y4m")
    (tmp_path / "e.toml").write_text(TEXT)
    return tmp_path / "e.toml"


def rows_of(path):
    """What a database holds by key, without what the clock says."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    rows = {row["key"]: dict(row) for row in connection.execute("SELECT * FROM runs")}
    connection.close()
    for row in rows.values():
        assert row.pop("encoder_seconds") > 0 and row.pop("decoder_seconds") > 0 and row.pop("job_seconds") > 0
        row.pop("date")
        row["result"] = json.loads(row["result"])
        for part in (row["result"], *row["result"]["pictures"]):
            part.pop("seconds")
        row["result"].pop("cpu_seconds")
        row["result"].pop("input")
    return rows


def test_a_cluster_gives_the_same_bits_and_digests(experiment, scheduler, tmp_path, capsys):
    words = ["sweep", str(experiment)]
    assert codecsim([*words, "--jobs", "1", "-o", str(tmp_path / "one.sqlite"), "--quiet"]) == 0
    capsys.readouterr()
    assert codecsim([*words, "--scheduler", scheduler, "-o", str(tmp_path / "two.sqlite")]) == 0
    assert "16 of 16: " in capsys.readouterr().err
    serial, parallel = rows_of(tmp_path / "one.sqlite"), rows_of(tmp_path / "two.sqlite")
    assert len(serial) == 16 and serial == parallel
    assert all(len(row["stream_sha256"]) == 64 for row in parallel.values())
    learned = [row["result"]["pictures"][-1] for row in parallel.values() if '"filter":"online"' in row["options"]]
    assert len(learned) == 8 and all(len(picture["learner_hash"]) == 32 for picture in learned)
    assert codecsim([*words, "--scheduler", scheduler, "-o", str(tmp_path / "two.sqlite")]) == 0
    assert "0 runs to do, 16 already" in capsys.readouterr().err


def test_pieces_on_a_cluster(experiment, scheduler, tmp_path, capsys):
    text = TEXT.replace('"ldp", "ra"', '"ldp"').replace("intra-period = 8", "intra-period = 2")
    experiment.write_text('metrics = ["ssim", "ms-ssim"]\n' + text)
    words = ["sweep", str(experiment), "--quiet"]
    assert codecsim([*words, "--jobs", "1", "-o", str(tmp_path / "one.sqlite")]) == 0
    two = ["--scheduler", scheduler, "--segments", "2", "-o", str(tmp_path / "two.sqlite")]
    assert codecsim([*words, *two]) == 0
    rows = rows_of(tmp_path / "one.sqlite")
    assert rows == rows_of(tmp_path / "two.sqlite")
    assert all(0 < row["result"]["ms_ssim_y"] < 1 for row in rows.values())
    capsys.readouterr()


def test_workers_that_cannot_measure_are_told(experiment, scheduler, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "check_metrics", _cannot)
    experiment.write_text('metrics = ["ssim"]\n' + TEXT)
    assert codecsim(["sweep", str(experiment), "--scheduler", scheduler, "--quiet"]) == 2
    error = capsys.readouterr().err
    assert "error: worker tcp://" in error and error.endswith("cannot measure ('ssim',) at 64x64\n")
    assert error.count("\n") == 1 and rows_of(tmp_path / "e.sqlite") == {}


def _cannot(metrics, width, height):
    raise ConfigError(f"cannot measure {metrics} at {width}x{height}")


def test_what_fails_on_a_worker_is_told(experiment, scheduler, tmp_path, capsys):
    (tmp_path / "b.y4m").unlink()
    (tmp_path / "b.y4m").write_bytes((tmp_path / "a.y4m").read_bytes()[:-10])
    experiment.write_text(TEXT.replace("frames = 4\n", "").replace('"ldp", "ra"', '"ldp"'))
    assert codecsim(["sweep", str(experiment), "--scheduler", scheduler, "--quiet", "--json"]) == 1
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert len(report["results"]) == 4 and len(report["failed"]) == 4
    assert "b.y4m" in report["failed"][0]["error"]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x", "http://127.0.0.1:1"])
def test_nobody_answers(experiment, tmp_path, capsys, monkeypatch, address):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    assert codecsim(["sweep", str(experiment), "--scheduler", address]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"codecsim: error: {address}: no scheduler of Dask answers (") and error.count("\n") == 1
    assert not (tmp_path / "e.sqlite").exists()


def test_workers_of_another_version_are_refused(scheduler, monkeypatch):
    own = cluster.sources_digest()
    monkeypatch.setattr(cluster, "sources_digest", _Digests("0123456789abcdef", own))
    with pytest.raises(ConfigError, match=f"worker tcp.*: has version {own} of codecsim's sources, this process 0123"):
        cluster.ClusterWorkers(scheduler)


class _Digests:
    """A function that gives one value here, and another where it is sent to."""

    def __init__(self, here, there):
        self._here, self._there = here, there

    def __call__(self):
        return self._here

    def __reduce__(self):
        return _constant, (self._there,)


def _constant(value):
    return lambda: value


def test_a_cluster_without_workers():
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0", host="127.0.0.1", processes=True) as empty,
        pytest.raises(ConfigError, match="the scheduler has no workers; start some with: dask worker tcp://"),
    ):
        cluster.ClusterWorkers(empty.scheduler_address)


def test_without_dask_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(CodecError, match=r"pip install '\.\[cluster\]'"):
        cluster.ClusterWorkers("tcp://127.0.0.1:1")


def test_clips_are_found_by_their_content(clips, tmp_path, monkeypatch):
    clip = read_clip(clips / "a.y4m")
    assert locate_clip(clip) == clip.path
    moved = Clip(clip.name, str(tmp_path / "gone" / "a.y4m"), clip.sha256, clip.width, clip.height, clip.frames)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.y4m").write_bytes((clips / "b.y4m").read_bytes())
    monkeypatch.setenv(CLIP_FOLDERS, str(tmp_path / "other"))
    with pytest.raises(ConfigError, match=f"gone/a.y4m: no file with sha256 {clip.sha256[:16]}"):
        locate_clip(moved)
    monkeypatch.setenv(CLIP_FOLDERS, f"{tmp_path / 'other'}:{clips}")
    assert locate_clip(moved) == str(clips / "a.y4m")
    (tmp_path / "other" / "a.y4m").write_bytes((clips / "a.y4m").read_bytes())
    assert locate_clip(moved) == str(tmp_path / "other" / "a.y4m")
    bundled = read_clip(bundled_clip())
    elsewhere = Clip(bundled.name, "/nowhere/x.mkv", bundled.sha256, 320, 176, 1)
    assert locate_clip(elsewhere) == str(bundled_clip())
