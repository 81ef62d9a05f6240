import json
import pathlib
import re

import numpy as np
import pytest

from codecsim.errors import ConfigError, FormatError
from codecsim.inspection.stream import inspect_stream
from codecsim.picture.blocks import MODE_INTRA
from codecsim.viewer import overlays
from codecsim.viewer.layers import split_planes
from codecsim.viewer.overlays import CU_FIELDS, PU_FIELDS, TU_FIELDS
from codecsim.viewer.session import Session
from tests.viewer.conftest import HEIGHT, PICTURES, WIDTH


def _inspect(path):
    with open(path, "rb") as file:
        return list(inspect_stream(file))


def test_layers_are_those_of_the_stream(session, files):
    for stream, path in zip(session.streams, (files.learned, files.plain), strict=True):
        for picture in _inspect(path):
            for name, planes in (
                ("picture", picture.frame),
                ("unfiltered", picture.data.unfiltered),
                ("filtered", picture.data.filtered_prediction),
                ("prediction", picture.data.prediction),
                ("source", files.clip[1][picture.index]),
            ):
                for found, wanted in zip(split_planes(stream.layer(picture.index, name)), planes, strict=True):
                    np.testing.assert_array_equal(found, wanted[: found.shape[0], : found.shape[1]])


def test_reports(session, files):
    for stream, name, count in zip(session.streams, ("learned", "plain"), (PICTURES, PICTURES - 2), strict=True):
        state = stream.state(0)
        assert state["decoded"] == count and state["finished"] and state["error"] is None
        assert [report["index"] for report in state["reports"]] == list(range(count))
        in_coding_order = sorted(state["reports"], key=lambda report: report["coding_index"])
        for found, wanted in zip(in_coding_order, files.runs[name].reports, strict=True):
            for field in ("poc", "type", "qp", "bits", "parts", "psnr_y", "psnr_u", "psnr_v"):
                assert found[field] == getattr(wanted, field)
            assert found.get("reset") == wanted.reset and found.get("expert_shares") == wanted.expert_shares
            assert found.get("loss") == wanted.accumulated_loss
        assert stream.state(3)["reports"] == state["reports"][3:]
        json.dumps(state, allow_nan=False)


def _rows(flat, fields):
    return [dict(zip(fields, flat[k : k + len(fields)], strict=True)) for k in range(0, len(flat), len(fields))]


@pytest.mark.parametrize(("name", "fields"), [("CU", CU_FIELDS), ("PU", PU_FIELDS), ("TU", TU_FIELDS)])
def test_the_page_reads_the_fields_in_the_order_in_which_they_are_served(name, fields):
    text = (pathlib.Path(overlays.__file__).parent / "page" / "blocks.js").read_text()
    own = re.findall(r'"(\w+)"', re.search(rf"const {name}_FIELDS = \[(.*?)\];", text, re.DOTALL)[1])
    shorter = {"bits_q8": "bits", "ref_idx0": "ref0", "ref_idx1": "ref1"}  # the page divides bits by their scale
    assert own == [re.sub(r"_(\w)", lambda found: found[1].upper(), shorter.get(field, field)) for field in fields]


def test_block_data(session, files):
    for picture in _inspect(files.learned):
        found = json.loads(session.streams[0].blocks(picture.index))
        data = picture.data
        assert (found["width"], found["height"]) == (WIDTH, HEIGHT)
        units = _rows(found["cu"], CU_FIELDS)
        assert sum(unit["size"] ** 2 for unit in units) == WIDTH * HEIGHT
        for unit in units:
            at = unit["y"] // 4, unit["x"] // 4
            assert unit["mode"] == data.blocks.pred_mode[at] and unit["qp"] == data.blocks.qp[at]
            assert unit["intra_filter"] == data.blocks.intra_filter[at]
        for unit in _rows(found["pu"], PU_FIELDS):
            at = unit["y"] // 4, unit["x"] // 4
            assert (unit["ref_idx0"], unit["ref_idx1"]) == tuple(data.motion.ref_idx[at])
            if unit["mode"] == MODE_INTRA:
                assert unit["intra_luma"] == data.blocks.intra_luma[at]
            else:
                assert (unit["mv0x"], unit["mv0y"]) == tuple(data.motion.mv[at][0])
        assert sum(unit["size"] ** 2 for unit in _rows(found["tu"], TU_FIELDS)) == WIDTH * HEIGHT
        assert found["ctu_bits_q8"] == data.bits.ctu.ravel().tolist()
        if picture.index:
            assert sum(found["loss"]) == data.losses.sum()
            assert found["filtering"] == data.blocks.filtering.taken.ravel().tolist()
            assert found["experts"] == ["online", "rls"]
        else:
            assert found["loss"] is found["filtering"] is None
        assert np.mean(found["loop"]["flags"][0]) == picture.report.loop_share


def test_memory_and_disk_are_given_back(files):
    with Session([files.small]) as session:
        stream = session.streams[0]
        assert stream.reports and not stream.has_source
        session.start()
    with pytest.raises(ValueError, match="closed"):
        stream.layer(0, "picture")


@pytest.mark.parametrize(
    ("paths", "source", "error", "message"),
    [
        (["learned", "small"], None, ConfigError, "small.bin: is 16x16, but .*learned.bin is 104x72"),
        (["small"], "source", FormatError, "source.y4m: is 104x72, but .*small.bin is 16x16"),
        (["small"], "missing.y4m", FormatError, "missing.y4m: cannot be read"),
        (["missing.bin"], None, FormatError, "missing.bin: cannot be read"),
        (["source"], None, FormatError, "source.y4m: no start code"),
        (["-", "-"], None, ConfigError, "standard input"),
        (["learned"], "-", ConfigError, "must be a file"),
    ],
)
def test_what_cannot_be_shown_is_said_at_once(paths, source, error, message, files):
    paths = [getattr(files, path, path) for path in paths]
    with pytest.raises(error, match=message), Session(paths, source and getattr(files, source, source)):
        pass


def test_a_stream_that_breaks_later_shows_what_came_before(files, tmp_path):
    run = files.runs["learned"]
    start = sum(report.file_bits for report in run.reports[:3]) // 8
    damaged = bytearray(run.data)
    damaged[start + 40] ^= 0x55
    path = tmp_path / "damaged.bin"
    path.write_bytes(damaged)
    with Session([str(path)]) as session:
        session.start()
        session.wait()
        state = session.streams[0].state(0)
        assert 0 < state["decoded"] <= 3 and state["finished"] and "damaged.bin: " in state["error"]
        session.streams[0].layer(0, "picture")
