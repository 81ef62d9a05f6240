"""Block statistics, read back by a reader that is written from the format's documentation alone.

Documentation: "Statistics Extension Syntax" in the wiki of YUView: fields behind semicolons; header lines begin with %,
comments with two of them; data lines have picture, x, y, width, height, type, value or vector; all data of a picture
stand together, and in it all of a type.
"""

import io
import itertools

import numpy as np
import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.formats.video import VideoInput
from codecsim.inspection.statistics import write_statistics
from codecsim.inspection.stream import inspect_stream
from tests.conformance.clips import make_clip
from tests.conformance.runs import run_encoder

WIDTH, HEIGHT = 90, 70  # coded as 96 x 72
CONFIGS = {
    "ra": EncoderConfig("ra", 32, filter="off", preset="fast", settings={"hevc": {"adaptive_qp": 6, "qp_group": 16}}),
    "learned": EncoderConfig(
        "ldp",
        30,
        preset="fast",
        settings={"inter_luma": {"channels": 8, "tile_log2": 5, "experts": "online,rls"}},
        intra_filter="frozen",
        loop_filter="on",
        obmc=True,
    ),
}


class Reader:
    """specs: fields of seq-specs; types: by number (name, kind, lines); data: by (picture, type) rows of integers."""

    def __init__(self, text):
        lines = [line.split(";") for line in text.splitlines()]
        count = sum(1 for _ in itertools.takewhile(lambda fields: fields[0] == "%", lines))
        header, rows = lines[:count], [[int(field) for field in fields] for fields in lines[count:]]
        assert header[0] == ["%", "syntax-version", "v1.22"]
        assert header[1][1] == "seq-specs"
        self.specs = header[1][2:]
        self.types, kind = {}, None
        for _, word, *fields in header[2:]:
            if word == "type":
                number, name, kind, _ = fields
                assert kind in ("map", "range", "vector") and int(number) not in self.types
                self.types[int(number)] = (name, kind, {})
                last = int(number)
            elif word != "%":
                self.types[last][2].setdefault(word, []).append(fields)
        self.data = {}
        for key, group in itertools.groupby(rows, lambda row: (row[0], row[5])):
            assert key not in self.data, "not grouped by picture and type"
            self.data[key] = list(group)
        pictures = [picture for picture, _ in itertools.groupby(self.data, lambda key: key[0])]
        assert len(pictures) == len(set(pictures)), "a picture's data do not stand together"
        for row in rows:
            _, x, y, width, height, number, *values = row
            assert 0 <= x < x + width <= int(self.specs[2]) and 0 <= y < y + height <= int(self.specs[3])
            assert len(values) == (2 if self.types[number][1] == "vector" else 1)

    def rows(self, picture, name):
        (number,) = (number for number, (found, _, _) in self.types.items() if found == name)
        return self.data.get((picture, number), [])

    def plane(self, picture, name):
        """(H, W) values of a type; -1 where there are none. They must not overlap."""
        out = np.full((HEIGHT, WIDTH), -1)
        for _, x, y, width, height, _, value in self.rows(picture, name):
            assert (out[y : y + height, x : x + width] == -1).all()
            out[y : y + height, x : x + width] = value
        return out


@pytest.fixture(scope="module", params=CONFIGS)
def written(request, tmp_path_factory):
    """(Reader, list of InspectedPicture, Run)."""
    clip = make_clip("film", WIDTH, HEIGHT, 5)
    run = run_encoder(CONFIGS[request.param], clip)
    source = VideoInput("source.y4m", clip[0], 5, iter(clip[1]))
    pictures = list(inspect_stream(io.BytesIO(run.data), source=source))
    path = tmp_path_factory.mktemp("statistics") / "s.csv"
    assert write_statistics(pictures, path, "a;b.bin") == 5
    return Reader(path.read_text()), pictures, run


def units(array):
    """Values of 4x4 units as a plane of the true size."""
    return np.repeat(np.repeat(array.astype(int), 4, 0), 4, 1)[:HEIGHT, :WIDTH]


def test_header(written):
    reader, pictures, _ = written
    assert reader.specs == ["a b.bin", "0", "90", "70", "25", ""]
    assert {picture for picture, _ in reader.data} == set(range(len(pictures)))
    for name, kind, lines in reader.types.values():
        wanted = {"map": {"mapColor"}, "range": {"defaultRange"}, "vector": {"vectorColor", "scaleFactor"}}[kind]
        assert lines.keys() - {"scaleToBlockSize"} == wanted, name


def test_values_are_in_their_range(written):
    reader, _, _ = written
    for (_, number), rows in reader.data.items():
        name, kind, lines = reader.types[number]
        values = {row[6] for row in rows}
        if kind == "map":
            assert values <= {int(fields[0]) for fields in lines["mapColor"]}
        elif kind == "range" and name not in ("CUBits", "CTUBits") and "scaleToBlockSize" not in lines:
            low, high, _ = lines["defaultRange"][0]
            assert int(low) <= min(values) and max(values) <= int(high), name


def test_partition_and_modes(written):
    reader, pictures, _ = written
    for picture in pictures:
        k, data = picture.index, picture.data
        blocks = data.blocks
        assert np.array_equal(reader.plane(k, "PredMode"), units(blocks.pred_mode))
        assert np.array_equal(reader.plane(k, "QP"), units(blocks.qp))
        assert np.array_equal(reader.plane(k, "PartMode"), units(blocks.part_mode))
        assert np.array_equal(reader.plane(k, "Cbf"), units(blocks.cbf & 7))
        assert np.array_equal(reader.plane(k, "TransformSkip"), units(blocks.cbf >> 3))
        intra = blocks.pred_mode == 1
        assert np.array_equal(reader.plane(k, "IntraModeY"), units(np.where(intra, blocks.intra_luma.astype(int), -1)))
        merge = np.where(intra, -1, blocks.merge.astype(int) - 1)
        assert np.array_equal(reader.plane(k, "MergeIdx"), units(merge))


def test_motion(written):
    reader, pictures, _ = written
    for picture in pictures:
        motion = picture.data.motion
        for lx in range(2):
            used = np.zeros(motion.ref_idx.shape[:2], bool)
            for _, x, y, width, height, _, *vector in reader.rows(picture.index, f"MVL{lx}"):
                area = slice(y // 4, -(-(y + height) // 4)), slice(x // 4, -(-(x + width) // 4))
                assert not used[area].any()
                used[area] = True
                assert (motion.mv[(*area, lx)] == vector).all()
            wanted = motion.ref_idx[..., lx] >= 0
            assert np.array_equal(units(used), units(wanted))
            found = reader.plane(picture.index, f"RefPocL{lx}")
            assert np.array_equal(found >= 0, units(wanted) > 0)


def test_bits_and_errors_add_up(written):
    reader, pictures, run = written
    reports = {report.poc: report for report in run.reports}
    for picture in pictures:
        cu = [row[6] for row in reader.rows(picture.index, "CUMilliBits")]
        ctu = [row[6] for row in reader.rows(picture.index, "CTUBits")]
        slice_bits = reports[picture.report.poc].bits
        assert 0 < sum(cu) / 1000 <= sum(ctu) + len(ctu) <= slice_bits + len(ctu)
        assert sum(row[6] for row in reader.rows(picture.index, "CUBits")) == pytest.approx(sum(cu) / 1000, abs=len(cu))
        error = (picture.frame.y.astype(int) - picture.source.y) ** 2
        assert sum(row[6] for row in reader.rows(picture.index, "SquaredError")) == error.sum()


def test_choices(written):
    reader, pictures, _ = written
    for picture in pictures:
        data = picture.data
        for name, taken, on in (
            ("FilterChoice", data.blocks.filtering.taken, bool(data.experts)),
            ("ObmcChoice", data.blocks.overlap.taken, data.overlap_used),
        ):
            wanted = np.repeat(np.repeat(taken.astype(int), 32, 0), 32, 1)[:HEIGHT, :WIDTH]
            assert np.array_equal(reader.plane(picture.index, name), wanted if on else np.full_like(wanted, -1))
        losses = [row[6] for row in reader.rows(picture.index, "Loss")]
        assert sum(losses) == (0 if data.losses is None else data.losses.sum())
    learned = pictures[0].report.learner_hash is not None
    assert any(reader.rows(k, "Loss") for k in range(5)) == learned
    assert any(reader.rows(k, "LoopFilterY") for k in range(5)) == learned


def test_loop_filter(written):
    reader, pictures, _ = written
    for picture, (c, name) in itertools.product(pictures, enumerate(("LoopFilterY", "LoopFilterCb", "LoopFilterCr"))):
        found, loop = reader.plane(picture.index, name), picture.data.loop
        if loop is None or loop.where[c] < 2:  # nowhere, everywhere
            assert (found == (-1 if loop is None else loop.where[c])).all()
            continue
        side = 32 << loop.size[0]
        for y, x in itertools.product(range(0, HEIGHT, side), range(0, WIDTH, side)):
            assert (found[y : y + side, x : x + side] == loop.flags[c, y // side, x // side]).all()


def test_sample_adaptive_offset(written):
    reader, pictures, _ = written
    for picture, (c, name) in itertools.product(pictures, enumerate(("SaoY", "SaoCb", "SaoCr"))):
        types = picture.data.sao.type_idx[c].astype(int)
        assert np.array_equal(reader.plane(picture.index, name), units(np.repeat(np.repeat(types, 16, 0), 16, 1)))
