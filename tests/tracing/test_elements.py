"""The trace of a decoder against what the standard says of elements, bins and bits."""

import functools
import io
import itertools
import math
import re

import pytest

from codecsim.entropy import elements
from codecsim.syntax.nal import read_nal_units
from codecsim.tracing.summary import summarise
from tests.conformance.make_streams import FOLDER
from tests.tracing.tracing_of import decoder_trace

STREAMS = sorted(path for path in FOLDER.iterdir() if path.suffix in (".bin", ".hevc"))
BIN = re.compile(r"([01]+)@(\w+)(?:\+\d+:(\d+)\.([01]))?")
# Table 9-4 of H.265, and the contexts of this project: whose context variables the bins of an element have
CONTEXTS_OF = {
    "SAO_MERGE": {"sao_merge_left_flag", "sao_merge_up_flag"},
    "SAO_TYPE": {"sao_type_idx_luma", "sao_type_idx_chroma"},
    "SPLIT_CU": {"split_cu_flag"},
    "CU_SKIP": {"cu_skip_flag"},
    "PRED_MODE": {"pred_mode_flag"},
    "PART_MODE": {"part_mode"},
    "PREV_INTRA": {"prev_intra_luma_pred_flag"},
    "INTRA_CHROMA": {"intra_chroma_pred_mode"},
    "ROOT_CBF": {"rqt_root_cbf"},
    "MERGE_FLAG": {"merge_flag"},
    "MERGE_IDX": {"merge_idx"},
    "INTER_PRED_IDC": {"inter_pred_idc"},
    "REF_IDX": {"ref_idx_l0", "ref_idx_l1"},
    "MVP_FLAG": {"mvp_l0_flag", "mvp_l1_flag"},
    "MVD_GREATER0": {"abs_mvd_greater0_flag"},
    "MVD_GREATER1": {"abs_mvd_greater1_flag"},
    "SPLIT_TRANSFORM": {"split_transform_flag"},
    "CBF_LUMA": {"cbf_luma"},
    "CBF_CHROMA": {"cbf_cb", "cbf_cr"},
    "QP_DELTA": {"cu_qp_delta_abs"},
    "TRANSFORM_SKIP": {"transform_skip_flag"},
    "LAST_X": {"last_sig_coeff_x_prefix"},
    "LAST_Y": {"last_sig_coeff_y_prefix"},
    "CODED_SUB_BLOCK": {"coded_sub_block_flag"},
    "SIG_COEFF": {"sig_coeff_flag"},
    "GREATER1": {"coeff_abs_level_greater1_flag"},
    "GREATER2": {"coeff_abs_level_greater2_flag"},
    "FILTER_CHOICE": {"prediction_filter_where", "prediction_filter_choice"},
    "OBMC_CHOICE": {"obmc_where", "obmc_choice"},
    "INTRA_FILTER": {"intra_filter_flag"},
    "LOOP_CHOICE": {"loop_filter_where", "loop_filter_flag"},
    "end": {"end_of_slice_segment_flag"},
}
WITH_BYPASS = {"sao_type_idx_luma", "sao_type_idx_chroma", "part_mode", "intra_chroma_pred_mode", "merge_idx"}
WITH_BYPASS |= {"ref_idx_l0", "ref_idx_l1", "cu_qp_delta_abs", "obmc_where", "prediction_filter_where"}
ONLY_BYPASS = {"sao_offset_abs", "sao_offset_sign", "sao_band_position", "sao_eo_class_luma", "sao_eo_class_chroma"}
ONLY_BYPASS |= {"mpm_idx", "rem_intra_luma_pred_mode", "abs_mvd_minus2", "mvd_sign_flag", "cu_qp_delta_sign_flag"}
ONLY_BYPASS |= {"last_sig_coeff_x_suffix", "last_sig_coeff_y_suffix", "coeff_sign_flag", "coeff_abs_level_remaining"}
ONLY_BYPASS |= {"loop_filter_size"}
UNARY = {
    "merge_idx",
    "ref_idx_l0",
    "ref_idx_l1",
    "mpm_idx",
    "sao_offset_abs",
    "prediction_filter_choice",
    "obmc_choice",
}
UNARY |= {"last_sig_coeff_x_prefix", "last_sig_coeff_y_prefix"}
FIXED = {"rem_intra_luma_pred_mode", "sao_band_position", "sao_eo_class_luma", "sao_eo_class_chroma"}
FIXED |= {"last_sig_coeff_x_suffix", "last_sig_coeff_y_suffix", "coeff_sign_flag", "sao_offset_sign", "rqt_root_cbf"}
FIXED |= {"cbf_luma", "cbf_cb", "cbf_cr"}


def golomb(bins, k):
    """Value of a k-th order Exp-Golomb code of 9.3.3.5, which takes all the bins."""
    prefix = bins.index("0")
    assert len(bins) == 2 * prefix + 1 + k
    return sum(1 << k + i for i in range(prefix)) + int("0" + bins[prefix + 1 :], 2)


@functools.cache
def traced(path):
    return decoder_trace(path.read_bytes())


@pytest.fixture(scope="module", params=STREAMS, ids=lambda path: path.name)
def stream(request):
    return request.param.read_bytes(), traced(request.param)


def test_bins_have_the_contexts_of_their_element(stream):
    coded = [record for record in stream[1] if record.bins]
    assert coded
    for record in coded:
        tokens = [BIN.fullmatch(token).groups() for token in record.bins.split(" ")]
        kinds = {kind for _, kind, _, _ in tokens}
        if record.element in ONLY_BYPASS:
            assert kinds == {"bypass"}, record
            continue
        allowed = {kind for kind, names in CONTEXTS_OF.items() if record.element in names}
        assert kinds - ({"bypass"} if record.element in WITH_BYPASS else set()) == allowed, record


def test_values_follow_from_bins(stream):
    for record in stream[1]:
        if not record.bins:
            continue
        bins = "".join(token.split("@")[0] for token in record.bins.split(" "))
        if record.element in UNARY:
            assert bins in ("1" * record.value + "0", "1" * record.value), record
        elif record.element in FIXED or record.element.endswith("_flag"):
            assert record.value == int(bins, 2), record
            assert len(bins) == 1 or record.element in FIXED
        elif record.element == "abs_mvd_minus2":
            assert record.value == golomb(bins, 1), record
        elif record.element == "cu_qp_delta_abs":
            prefix = min(record.value, 5)
            assert bins[: prefix + 1] == "1" * prefix + "0" if prefix < 5 else golomb(bins[5:], 0) == record.value - 5
        elif record.element == "coeff_abs_level_remaining":
            prefix = min(bins.index("0"), 4)
            rice = len(bins) - prefix - 1 if prefix < 4 else None
            if rice is not None:
                assert record.value == (prefix << rice) + int("0" + bins[prefix + 1 :], 2), record


def test_contexts_evolve(stream):
    """Each context is found as its last bin left it."""
    left = {}
    for record in stream[1]:
        if record.element == "slice_type":
            left.clear()
        for token in (record.bins or "").split():
            value, kind = token.split("@")
            name, _, state = kind.partition(":")
            if not state:
                continue
            assert left.get(name, state) == state, record
            index, most_probable = map(int, state.split("."))
            if int(value) == most_probable:
                left[name] = f"{min(index + 1, 62)}.{most_probable}"
            elif index == 0:
                left[name] = f"0.{1 - most_probable}"
            else:
                left.pop(name, None)


def test_positions_are_sums_of_bits(stream):
    """Header bits fill their unit, and the information of slice data is what the arithmetic coder has moved by."""
    data, records = stream
    units = [nal for nal in read_nal_units(io.BytesIO(data)) if nal.layer_id == 0]
    for nal, unit in zip(units, split_units(records), strict=True):
        check_unit(nal, unit)


def split_units(records):
    """The records of each NAL unit."""
    unit = []
    for record in records:
        if record.element == "forbidden_zero_bit" and unit:
            yield unit
            unit = []
        unit.append(record)
    yield unit


def check_unit(nal, unit):
    """Positions of one NAL unit of `nal.rbsp` and a header of 16 bits."""
    headers = [record for record in unit if record.range is None]
    for record, following in itertools.pairwise(headers):
        assert following.position == record.position + record.bits, record
    end = headers[-1].position + headers[-1].bits
    coded = [record for record in unit if record.range is not None]
    assert bool(coded) == (nal.type < 32)
    if not coded:
        assert end == 16 + 8 * len(nal.rbsp)
        return
    total = end
    for record in coded:
        assert abs(record.position + math.log2(510 / record.range) - total) < 1e-6, record
        total += record.bits
    # the last bin moves by 7 bits, the flush by 2 and a stop bit, up to the end of the byte
    assert 0 <= 16 + 8 * len(nal.rbsp) - total < 16


def test_every_element_has_a_stream():
    found = {record.element for path in STREAMS for record in traced(path)}
    assert set(elements.NAMES.values()) <= found
    assert not [name for name in found if name.startswith("(")]


def test_summary_adds_up(stream):
    data, records = stream
    rows = summarise(records)
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert rows == sorted(rows, key=lambda row: -row["bits"])
    assert sum(row["count"] for row in rows) == len(records)
    by_name = {(row["element"], row["component"]): row for row in rows}
    flags = [r for r in records if (r.element, r.component) == ("sig_coeff_flag", "Y")]
    if flags:
        row = by_name["sig_coeff_flag", "Y"]
        assert (row["count"], row["bins"]) == (len(flags), len(flags))
        assert row["bits"] == pytest.approx(sum(r.bits for r in flags))
    # what is left are start codes, emulation prevention, and the ends of slices
    units = sum(1 for _ in read_nal_units(io.BytesIO(data)))
    left = 8 * len(data) - sum(row["bits"] for row in rows)
    assert 24 * units < left < 48 * units + 8 * data.count(b"\x00\x00\x03")
