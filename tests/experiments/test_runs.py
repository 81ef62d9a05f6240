"""Runs over files: pictures and reports in their orders."""

import itertools

import numpy as np
import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.experiments.runs import decode_stream, encode_video
from codecsim.formats.output import OutputOrder
from codecsim.formats.video import create_video, open_video
from tests.conformance.clips import make_clip
from tests.conformance.runs import assert_same_pictures, run_encoder


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_output_order(order):
    written = []
    pass_on = OutputOrder(written.append)
    for done, index in enumerate(order, 1):
        pass_on(index, f"picture {index}")
        whole = next(k for k in range(5) if k not in order[:done])  # those from the first on that have come
        assert written == [f"picture {k}" for k in range(whole)]


@pytest.mark.parametrize("config", ["ldp", "ra"])
def test_files_are_in_output_order_and_reports_in_coding_order(config, tmp_path):
    source, stream, recon, decoded = (tmp_path / name for name in ("in.y4m", "s.bin", "recon.y4m", "out.y4m"))
    video_format, frames = make_clip("texture", 34, 18, 11)
    with create_video(source, video_format) as write:
        for frame in frames:
            write(frame)
    settings = EncoderConfig(config, 27, filter="off", preset="fast")
    seen = []
    with open_video(source) as video:
        coded = encode_video(video, settings, stream, recon, on_picture=seen.append)
    with open(stream, "rb") as file:
        found = decode_stream(file, "s.bin", decoded)
    wanted = run_encoder(settings, (video_format, frames))
    with open_video(recon) as video:
        assert_same_pictures(list(video.frames), wanted.recon)
    assert decoded.read_bytes() == recon.read_bytes()
    pocs = list(range(11)) if config == "ldp" else [0, 8, 4, 2, 1, 3, 6, 5, 7, 10, 9]
    assert [picture["poc"] for picture in coded["pictures"]] == [report.poc for report in seen] == pocs
    assert [picture["poc"] for picture in found["pictures"]] == pocs
    assert [picture["bits"] for picture in found["pictures"]] == [picture["bits"] for picture in coded["pictures"]]
    # quality is that of the picture's own source
    for picture in coded["pictures"]:
        error = np.mean((frames[picture["poc"]].y.astype(float) - wanted.recon[picture["poc"]].y) ** 2)
        assert picture["psnr_y"] == pytest.approx(10 * np.log10(255**2 / error))
