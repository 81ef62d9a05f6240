"""The page in a real browser: Debian's chromium, without a screen and without a network."""

import re
import xml.etree.ElementTree

import cv2
import numpy as np
import pytest

from codecsim.cli import run
from codecsim.experiments.report.page import FIGURES
from codecsim.experiments.report.style import DARK, EXPERTS, colour_of
from tests.browsers import needs_chromium, open_browser
from tests.experiments.report.synthetic import CLIPS, OFF, ONLINE, QPS, make_database

pytestmark = needs_chromium
SIZE = {"width": 1366, "height": 768}  # a laptop's
DANGER = "<img src=x onerror=alert(1)><b>bold</b>"


@pytest.fixture(scope="module")
def browser():
    with open_browser() as found:
        yield found


@pytest.fixture(scope="module")
def page_path(tmp_path_factory):
    """Page of three arms, three clips, two configurations; a run of each of these is missing."""
    folder = tmp_path_factory.mktemp("browser")
    path = make_database(folder / "exp.sqlite", configs=("ldp", "ra"), missing=[("obmc", "walk", 22)])
    assert run(["report", str(path), "-o", str(folder / "exp.html")]) == 0
    return folder / "exp.html"


class Visit:
    """A page in a fresh context that has no network; what it asks for and complains of is kept."""

    def __init__(self, browser, path, **settings):
        self.requests, self.complaints = [], []
        self.context = browser.new_context(viewport=SIZE, **settings)
        self.context.route("**/*", self._route)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        self.page.goto(path.as_uri())
        if settings.get("java_script_enabled", True):
            self.page.wait_for_selector("html[data-ready=yes]", timeout=60000)

    def _route(self, route):
        if self.requests or not route.request.url.startswith("file:"):
            route.abort()
        else:
            route.continue_()
        self.requests.append(route.request.url)

    def points(self, name):
        """Number of points and bars that a figure shows."""
        return self.page.locator(f"[data-figure={name}] .cartesianlayer :is(.points path, .js-line)").count()

    def choose(self, **labels):
        for name, label in labels.items():
            self.page.select_option(f"#{name}", label=label)

    def caption(self, name):
        return self.page.locator(f"#figure-{name} .of").inner_text()

    def picture(self, selector):
        """What a part of the page looks like, (h, w, 3) uint8 RGB."""
        data = np.frombuffer(self.page.locator(selector).first.screenshot(), np.uint8)
        return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


@pytest.fixture
def visit(browser, page_path):
    found = Visit(browser, page_path)
    yield found
    assert found.complaints == []
    assert found.requests == [page_path.as_uri()]  # the file itself and nothing else
    found.context.close()


def near(picture, colour):
    """Number of pixels of a colour such as '#0072B2'."""
    wanted = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)])
    return int((np.abs(picture.astype(int) - wanted).max(axis=2) <= 6).sum())


def test_all_figures_are_drawn_from_the_file_alone(visit):
    counts = {name: visit.points(name) for name in FIGURES}
    arms, clips, qps, frames, planes = 3, 3, 4, 6, 3
    assert counts["rd"] == planes * arms * (qps + 1)  # points and a line each
    assert counts["savings"] == planes * (arms - 1)
    assert counts["gains"] == (arms - 1) * (clips + 1)
    # the clip with the missing run has no times, nor has their mean
    assert counts["costs"] == planes * ((arms - 1) * (clips + 1) + 1) - 2 * 2
    assert counts["gain"] == (arms - 1) * (frames + 1)
    assert counts["pictures"] == 2 * (arms - 1) * (frames + 1)
    assert counts["learning"] == 3 * (5 + 1) + 2  # of the one that learns, a reset in two panels
    assert counts["experts"] >= 3 * qps + qps and counts["parts"] >= 4 * arms * qps
    assert visit.page.locator(".empty").count() == 0
    assert visit.page.locator("#trouble").is_hidden()


def test_selectors_change_what_is_shown(visit):
    options = {name: visit.page.locator(f"#{name} option").all_inner_texts() for name in ("config", "clip", "qp")}
    assert options == {"config": ["ldp", "ra"], "clip": sorted(CLIPS), "qp": [str(qp) for qp in QPS]}
    before = visit.points("rd")
    visit.choose(clip="walk", qp="32")
    assert (visit.caption("rd"), visit.caption("pictures")) == ("ldp, walk.", "ldp, walk, QP 32.")
    assert visit.caption("gains") == "ldp."
    assert visit.points("rd") == before - 3  # the missing run, in each plane
    visit.choose(config="ra")
    assert visit.caption("pictures") == "ra, walk, QP 32."
    assert visit.points("rd") == before - 3
    visit.choose(clip="foliage")
    assert visit.points("rd") == before


def test_arms_can_be_hidden_everywhere(visit):
    before = {name: visit.points(name) for name in FIGURES}
    visit.page.get_by_label("online", exact=True).uncheck()
    after = {name: visit.points(name) for name in FIGURES}
    assert after["rd"] == before["rd"] * 2 // 3 and after["gain"] == before["gain"] // 2
    assert after["parts"] == before["parts"] * 2 // 3
    assert after["learning"] == 0 and "no arm that is shown learns" in visit.page.locator(".empty").inner_text()
    for box in visit.page.locator("#arms input").all():
        box.uncheck()
    assert all(visit.points(name) == 0 for name in FIGURES)
    for box in visit.page.locator("#arms input").all():
        box.check()
    assert {name: visit.points(name) for name in FIGURES} == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_screenshots(browser, page_path, scheme):
    """Sizes, and that every plot has its colours in it; letters may look otherwise elsewhere."""
    visit = Visit(browser, page_path, color_scheme=scheme)
    whole = visit.picture("body")
    assert SIZE["width"] * 0.8 <= whole.shape[1] <= SIZE["width"] and whole.shape[0] > 5 * SIZE["height"]
    # nothing is wider than the window
    assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    back = whole[2, 2].mean()
    assert back > 250 if scheme == "light" else back < 60
    shown = {"rd": (0, 1, 2), "costs": (0, 1, 2), "gain": (1, 2), "pictures": (1, 2), "savings": (1, 2)}
    for name in FIGURES:
        picture = visit.picture(f"[data-figure={name}] .main-svg")
        assert picture.shape[1] > 900 and picture.shape[0] > 120, name
        colours = [colour_of(k) for k in shown.get(name, (2,) if name in ("gains", "learning") else ())]
        colours += [EXPERTS["online"]] if name == "experts" else []
        for colour in colours:
            assert near(picture, DARK.get(colour, colour) if scheme == "dark" else colour) > 20, (name, colour)
        half = picture.shape[1] // 2
        for side in (picture[:, :half], picture[:, half:]):
            assert side.std() > 3, name
    assert visit.complaints == []
    visit.context.close()


def test_a_figure_can_be_saved_for_a_paper(visit):
    for kind in ("svg", "png"):
        with visit.page.expect_download() as waiting:
            visit.page.locator(f"button[data-of=rd][data-format={kind}]").click()
        assert waiting.value.suggested_filename == f"trial_rd_ldp_cars.{kind}"
        data = waiting.value.path().read_bytes()
        if kind == "svg":
            root = xml.etree.ElementTree.fromstring(data)
            assert root.get("width") == "1000" and colour_of(2).lower() in rgb_to_hex(data.decode())
            assert "online" in data.decode()
        else:
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
            assert picture.shape[1] == 3000 and picture[5, 5].tolist() == [255] * 3
            assert near(picture, colour_of(2)) > 200


def rgb_to_hex(text):
    """Text with 'rgb(0, 114, 178)' written as '#0072b2'."""
    return re.sub(r"rgb\((\d+), (\d+), (\d+)\)", lambda m: "#" + "".join(f"{int(v):02x}" for v in m.groups()), text)


def test_print_is_on_white_and_as_wide_as_paper(browser, page_path):
    visit = Visit(browser, page_path, color_scheme="dark")
    assert visit.page.pdf(format="A4").startswith(b"%PDF")
    visit.page.emulate_media(media="print")
    visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert visit.page.locator("#controls").is_hidden()
    picture = visit.picture("[data-figure=rd] .main-svg")
    assert abs(picture.shape[1] - 680) <= 1 and picture[3, 3].mean() > 250 and near(picture, colour_of(2)) > 20
    visit.page.emulate_media(media="screen")
    visit.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert visit.page.locator("[data-figure=rd] .main-svg").first.bounding_box()["width"] > 900
    assert visit.complaints == []
    visit.context.close()


def test_tables_need_no_script(browser, page_path):
    visit = Visit(browser, page_path, java_script_enabled=False)
    assert visit.page.locator("noscript").is_visible()
    assert visit.page.get_by_role("row", name="online").first.is_visible()
    assert visit.page.locator("#missing li").first.inner_text() == "Missing: obmc, ldp, walk, QP 22."
    visit.context.close()


def test_texts_of_a_database_stay_texts(browser, tmp_path):
    arms = {"off": (OFF, 1.0), DANGER: (ONLINE, 0.9)}
    path = make_database(tmp_path / "e.sqlite", arms, clips=(DANGER,), experiment=DANGER)
    assert run(["report", str(path), "-o", str(tmp_path / "e.html")]) == 0
    visit = Visit(browser, tmp_path / "e.html")
    page = visit.page
    assert visit.complaints == [] and page.locator("img").count() == 0 and page.locator("main b b").count() == 0
    assert page.locator("h1").inner_text() == DANGER and page.title() == f"{DANGER} - codecsim report"
    assert page.locator("[data-figure=rd] .legendtext").all_text_contents() == ["off", DANGER]
    assert page.locator("#arms label").all_inner_texts() == ["off", DANGER]
    assert DANGER in page.locator("[data-figure=parts] .xaxislayer-above text").all_text_contents()
    visit.context.close()
