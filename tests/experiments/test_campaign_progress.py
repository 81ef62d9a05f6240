"""What is told of a campaign: what runs, what is left, when it ends."""

import re

import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.experiments import progress
from codecsim.experiments.clips import Clip
from codecsim.experiments.work import Job, Outcome, Piece, Task

CLIP = Clip("a", "a.y4m", "00", 64, 64, 8)


def task(qp=32, arm="off", piece=None, **settings):
    return Task(Job(CLIP, EncoderConfig(qp=qp, frames=8, **settings), arm), piece)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still: a list with its time."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_the_end_is_told_from_what_each_arm_took(clock, capsys):
    off = [task(32, filter="off"), task(32, "other", filter="off")]
    slow = [task(32, "on", filter="off"), task(33, "on", filter="off")]
    tasks = [*off, *slow]
    with progress.CampaignProgress(tasks, 0, slots=1) as shown:
        assert shown._seconds_left() is None
        for done, seconds in ((off[0], 1), (slow[0], 10)):
            shown.starts(done)
            clock[0] += seconds
            shown.ends(Outcome(done, 800, 30.0, 1.0))
        # left: one of an arm not seen yet, as long as the mean of both, and one of the slow arm
        slow_left = 10 * slow[1].cost / slow[0].cost
        assert shown._seconds_left() == pytest.approx(5.5 + slow_left)
        shown.starts(slow[1])
        clock[0] += 4
        assert shown._seconds_left() == pytest.approx(5.5 + slow_left - 4)
        clock[0] += 100  # longer than expected: it ends at once, for all that is known
        assert shown._seconds_left() == pytest.approx(5.5)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "4 runs to do, 0 already in the database"
    assert re.search(
        r"2 of 4: a ldp QP 32 on: 800 bits, 30.00 dB, 1.0 s; 2 left, 0 running, ends about ..:..:..", lines[2]
    )


def test_no_task_is_divided_among_workers(clock):
    tasks = [task(22), task(51)]
    with progress.CampaignProgress(tasks, 0, slots=4, quiet=True) as shown:
        shown.starts(tasks[1])
        clock[0] += 1
        shown.ends(Outcome(tasks[1]))
        assert shown._seconds_left() == pytest.approx(tasks[0].cost / tasks[1].cost)


def test_news_that_come_late_are_no_running_tasks(clock, capsys):
    only = task()
    with progress.CampaignProgress([only], 0, slots=1) as shown:
        shown.ends(Outcome(only, error="first\nthe reason"))
        shown.starts(only)
        assert shown._started == {}
    assert "1 of 1: a ldp QP 32 off: failed: the reason; 0 left" in capsys.readouterr().err


def test_pieces_have_names_and_shares_of_the_cost():
    whole, piece = task(), task(piece=Piece(2, 4))
    assert str(piece) == "a ldp QP 32 off, pictures 2 to 5"
    assert piece.cost == pytest.approx(whole.cost / 2)


def test_tools_make_jobs_dearer():
    assert task(filter="online").cost > task(filter="frozen").cost > task(filter="off").cost > 0
    assert task(22, filter="off", preset="fast").cost > task(37, filter="off", preset="fast").cost
