"""Every field that a command prints with --json is documented, and every documented field is printed by some run."""

import io
import json
import pathlib

import numpy as np
import pytest

from codecsim.cli import run
from codecsim.experiments import json_forms
from codecsim.experiments.json_forms import FORMS, covers, is_documented, paths_of
from codecsim.formats.video import create_video
from codecsim.picture.planes import Frame, VideoFormat

SIZE = 64
RARE = {  # what no run of this test can show: the machine or a failure decides
    "vmaf",
    "pictures[].vmaf",
    "results[].vmaf",
    "tables[].intervals.*",  # of three clips or more
    "failed[].run",
    "failed[].error",
    "encoder.own_filters.*",  # from a program: see tests/api/test_own_filters.py
    "learned.tools.*",  # only a tool without settings and weights prints an empty object
}


def write_clip(path):
    """A clip whose pictures move and change, large enough for all metrics of luma and chroma."""
    y, x = np.mgrid[:SIZE, :SIZE]
    noise = np.random.default_rng(1).integers(0, 24, (3, SIZE, SIZE))
    with create_video(path, VideoFormat(SIZE, SIZE, 25)) as write:
        for i in range(3):
            luma = (118 + 60 * np.sin((x + 2 * i) / 5) + 30 * np.cos(y / 4) + noise[i]).astype(np.uint8)
            write(Frame(luma, luma[::2, ::2] // 2 + 60, luma[1::2, 1::2] // 3 + 80))


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """{command: list of results}, of real runs."""
    folder = tmp_path_factory.mktemp("forms")
    clip, found = folder / "clip.y4m", {}
    write_clip(clip)

    def note(command, *words):
        output = io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdout", output)
            assert run([*map(str, words), "--json"]) == 0, words
        found.setdefault(command, []).append(json.loads(output.getvalue()))
        return found[command][-1]

    quick = ("--preset", "fast", "--quiet")
    learning = (*quick, "--chroma-filter", "online", "--intra-filter", "online", "--loop-filter", "on", "--obmc")
    learning = (*learning, "--set", "inter_luma.control=signalled", "--metrics", "ssim,ms-ssim")
    results = {}
    for name, options in {"off": (*quick, "--filter", "off"), "on": learning}.items():
        stream = folder / f"{name}.bin"
        for qp in (37, 32, 27, 22):
            result = note("encode", "encode", clip, "-o", stream, "--qp", qp, *options)
            for k in range(3):  # as if of three clips, of whose mean there is an interval
                path = folder / f"{name}_{qp}_{k}.json"
                path.write_text(json.dumps(result | {"input": f"{k}.y4m"}))
                results.setdefault(name, []).append(path)
        note("decode", "decode", stream, "--quiet")
        note("info", "info", stream, "--quiet")
    note("encode", "encode", clip, "--oracle", "original", *quick)
    note("metrics", "metrics", clip, clip, "--quiet")
    note("compare", "compare", *results["off"], "--test", *results["on"])
    note("profile", "profile", "--no-device")
    note("settings", "settings")
    experiment = folder / "experiment.toml"
    experiment.write_text(
        f'clips = ["{clip}"]\nconfigs = ["ldp"]\nqps = [27, 37]\nframes = 2\n'
        'reference = "off"\nmetrics = ["ssim", "ms-ssim"]\n'
        '[common]\npreset = "fast"\n[arms.off]\nfilter = "off"\n[arms.obmc]\nfilter = "off"\nobmc = true\n'
    )
    database = folder / "runs.sqlite"
    note("sweep --dry-run", "sweep", experiment, "-o", database, "--dry-run", "--quiet")
    note("sweep", "sweep", experiment, "-o", database, "--jobs", 1, "--quiet")
    note("report", "report", database, "-o", folder / "page.html")
    stream = folder / "off.bin"
    note("trace --summary", "trace", stream, "--summary", "--quiet")
    lines = folder / "trace.jsonl"
    assert run(["trace", str(stream), "-o", str(lines), "--json", "--quiet"]) == 0
    found["trace"] = [json.loads(line) for line in lines.read_text().splitlines()[1:]]
    return found


@pytest.mark.parametrize("command", FORMS)
def test_every_field_is_documented(printed, command):
    paths = set().union(*map(paths_of, printed[command]))
    assert not {path for path in paths if not is_documented(path, FORMS[command])}


@pytest.mark.parametrize("command", FORMS)
def test_every_documented_field_is_printed(printed, command):
    paths = set().union(*map(paths_of, printed[command]))
    missing = {field.path for field in FORMS[command] if not any(covers(field, path) for path in paths)}
    assert missing <= RARE


def test_the_version_is_said(printed):
    for command in ("encode", "decode", "info"):
        assert {result["version"] for result in printed[command]} == {json_forms.FORM_VERSION}


def test_the_page_is_the_table():
    page = pathlib.Path(json_forms.__file__).parent / "RESULTS.md"
    assert page.read_text() == json_forms.markdown(), "write it again: python -m codecsim.experiments.json_forms"
