"""What users are told of the tools: nothing forgets one, since all is read from TOOLS."""

import dataclasses
import json
import subprocess
import sys

import pytest

from codecsim.cli import run
from codecsim.codec.active_tools import resolve_tools
from codecsim.codec.config import GROUPS, EncoderConfig, settable
from codecsim.codec.implementations import IMPLEMENTATIONS, kmac_per_pixel
from codecsim.codec.reports import PictureReport
from codecsim.experiments.inspection import read_parameter_sets
from codecsim.experiments.profile import PROFILERS
from codecsim.learned.model_files import KINDS, load_model
from codecsim.tools import INTER_LUMA, TOOLS, tool_named, tools_of
from codecsim.tools.tool import OFF
from tests.conformance.clips import make_clip
from tests.conformance.runs import run_encoder

EACH = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
FIELDS = {field.name for field in dataclasses.fields(PictureReport)}


def with_tool(tool, mode):
    """The encoding that has this tool, and those that it needs, on."""
    needed = {tool_named(tool.needs).option: tool_named(tool.needs).modes[-1]} if tool.needs else {}
    options = {INTER_LUMA.option: OFF, **needed, tool.option: tool.value(mode)}
    small = {"inter_luma": {"channels": 8, "tile_log2": 4}} if options[INTER_LUMA.option] != OFF else {}
    return EncoderConfig("ldp", 27, preset="fast", settings=small, **options)


@pytest.fixture(scope="module")
def runs():
    """Streams with each tool in its last mode, by the tool's name."""
    clip = make_clip("texture", 72, 56, 3)
    return {tool.name: run_encoder(with_tool(tool, tool.modes[-1]), clip) for tool in TOOLS}


@EACH
def test_descriptions_are_whole(tool):
    assert tool.modes[0] == OFF and tool.default_mode in tool.modes
    assert {*tool.times} <= {*tool.modes} and {*tool.shown} <= FIELDS
    assert not tool.needs or tool_named(tool.needs).bit < tool.bit
    assert tools_of(tool.bit) == (tool,)
    assert tool.settings is None or tool.settings.group == tool.name
    assert [tool.mode(tool.value(mode)) for mode in tool.modes] == [*tool.modes]


@EACH
def test_help_of_encode(tool, capsys):
    assert run(["encode", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    group = text[text.index("Tools beyond HEVC") :]
    assert f"--{tool.option.replace('_', '-')} " in group and " ".join(tool.help.split()) in group


def test_help_fits_two_screens():
    words = [sys.executable, "-m", "codecsim", "encode", "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) <= 2 * 50


@EACH
def test_info(tool, runs, tmp_path, capsys):
    path = tmp_path / "s.bin"
    path.write_bytes(runs[tool.name].data)
    assert run(["info", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    said = found["learned"]["tools"]
    assert tool.name in said and {*said} <= {tool.name, tool.needs}
    assert ("weights_digest" in said[tool.name]) == tool.learned
    assert ("settings" in said[tool.name]) == (tool.settings is not None)
    assert all(any(name in picture for picture in found["pictures"]) for name in tool.shown)
    assert run(["info", str(path), "--quiet"]) == 0
    text = capsys.readouterr().out
    assert f"  {tool.name}: {tool.title}" in text
    with open(path, "rb") as stream:
        assert read_parameter_sets(stream)["learned"] == found["learned"]


@EACH
def test_settings_are_listed(tool, capsys):
    if tool.settings is None:
        assert tool.name not in GROUPS
        return
    assert run(["settings", tool.name]) == 0
    text = capsys.readouterr().out
    for declared in settable(tool.name):
        assert f"  {declared.full_name} = " in text and declared.help in text
    assert run(["settings", tool.name, "--json"]) == 0
    assert [*json.loads(capsys.readouterr().out)] == [declared.full_name for declared in settable(tool.name)]


@EACH
def test_learned_tools_have_weights_filters_costs_and_profiles(tool, runs):
    if not tool.learned:
        assert tool.name not in IMPLEMENTATIONS
        return
    assert tool.model_kind in KINDS and tool.model_kind in PROFILERS
    assert load_model(tool.default_model, tool.model_kind).kind == tool.model_kind
    tools = resolve_tools(with_tool(tool, tool.modes[-1]))
    costs = kmac_per_pixel(tools, make_clip("flat", 72, 56, 1)[0], runs[tool.name].reports)
    assert {*costs} == {*(active.tool.name for active in tools), "inference", "training"}


@EACH
def test_a_tool_that_is_off_is_not_in_the_stream(tool):
    assert resolve_tools(with_tool(tool, OFF))[tool] is None
