"""The page in a real browser, headless."""

import threading

import pytest

from codecsim.viewer.server import HOST, make_server
from tests.browsers import needs_chromium, open_browser
from tests.viewer.conftest import HEIGHT, PICTURES, WIDTH

pytestmark = needs_chromium
SECONDS = 60_000  # of patience, in milliseconds: a busy machine is no fault of the page
PIXELS = """(id) => {
  const canvas = document.getElementById(id);
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let hash = 0;
  const colours = new Set();
  for (let k = 0; k < data.length; k += 4) {
    const value = data[k] | data[k + 1] << 8 | data[k + 2] << 16;
    hash = Math.imul(hash ^ value, 16777619) + 1 | 0;
    if (data[k + 3]) colours.add(value);
  }
  return [hash, colours.size];
}"""


@pytest.fixture(scope="module")
def address(session):
    with make_server(session) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://{HOST}:{server.port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser():
    with open_browser() as found:
        yield found


@pytest.fixture
def page(browser, address):
    """The page with both streams; fails where it complains or asks elsewhere."""
    said, asked = [], []
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    wait_for(page, 0)
    page.wait_for_selector("html[data-finished=true]", state="attached")
    yield page
    context.close()
    assert said == []
    assert asked and all(url.startswith(address) for url in asked)


def wait_for(page, index):
    page.wait_for_selector(f"html[data-shown='{index}']", state="attached")


def settled(page, canvas="canvas-0"):
    """Hash and number of colours of a canvas once nothing is on its way and it does not change any more."""
    page.wait_for_selector("html:not([data-waits])", state="attached")
    before = None
    while True:
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 30)))")
        now = page.evaluate(PIXELS, canvas)
        if now == before:
            return now
        before = now


def test_shows_and_steps(page):
    first, colours = settled(page)
    assert colours > 50
    page.keyboard.press("ArrowRight")
    wait_for(page, 1)
    assert settled(page)[0] != first
    assert f"picture 2 of {PICTURES}" in page.inner_text("#position")
    page.keyboard.press("End")
    wait_for(page, PICTURES - 1)
    page.keyboard.press("ArrowRight")
    page.click("#first")
    wait_for(page, 0)
    assert settled(page)[0] == first
    assert float(page.evaluate("document.documentElement.dataset.stepMs")) > 0
    assert "PSNR Y" in page.inner_text("#picture-facts")


def test_every_overlay_draws_and_goes(page):
    page.keyboard.press("ArrowRight")
    wait_for(page, 1)
    plain = settled(page)
    seen = {plain[0]}
    for key in "cuptvmflbq":
        page.keyboard.press(key)
        drawn = settled(page)
        assert drawn[0] not in seen, key
        seen.add(drawn[0])
        page.keyboard.press("x")
        assert settled(page) == plain, key


def test_every_layer_shows(page):
    page.keyboard.press("ArrowRight")
    wait_for(page, 1)
    names = page.eval_on_selector_all("#layers button", "(all) => all.map((button) => button.dataset.value)")
    assert len(names) == 9
    seen = set()
    for k, name in enumerate(names):
        page.keyboard.press(str(k + 1))
        assert page.get_attribute(f"#layers button[data-value={name}]", "aria-pressed") == "true"
        seen.add(settled(page)[0])
    assert len(seen) == 9
    gain = settled(page)
    page.click("#gains button[data-value='16']")
    assert settled(page) != gain
    page.keyboard.press("y")
    assert page.get_attribute("#components button[data-value=y]", "aria-pressed") == "true"


def test_streams_move_together(page):
    before = settled(page, "canvas-0"), settled(page, "canvas-1")
    assert before[0] != before[1]
    box = page.locator("#canvas-1").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -300)
    zoomed = settled(page, "canvas-0"), settled(page, "canvas-1")
    assert zoomed[0] != before[0] and zoomed[1] != before[1]
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 40, box["y"] + box["height"] / 2 + 20)
    page.mouse.up()
    moved = settled(page, "canvas-0"), settled(page, "canvas-1")
    assert moved[0] != zoomed[0] and moved[1] != zoomed[1]
    page.mouse.move(5, 5)
    page.keyboard.press("0")
    assert (settled(page, "canvas-0"), settled(page, "canvas-1")) == before
    page.keyboard.press("End")
    wait_for(page, PICTURES - 1)
    assert settled(page, "canvas-1")[1] < before[1][1] / 4  # only text: the second stream has ended


def test_pointing_tells_about_the_block(page):
    page.keyboard.press("ArrowRight")
    wait_for(page, 1)
    box = page.locator("#canvas-0").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2 + 2, box["y"] + box["height"] / 2 + 2)  # a sample takes over 4 pixels
    page.wait_for_selector("#block-facts table")
    assert f"{WIDTH // 2}, {HEIGHT // 2}" in page.inner_text("#block-title")
    facts = page.inner_text("#block-facts")
    assert all(name in facts for name in ("CU", "mode", "QP", "bits of CU", "filter", "OBMC", "loss", "SAO"))


def test_the_timeline_jumps(page):
    box = page.locator("#timeline").bounding_box()
    page.mouse.click(box["x"] + 54 + 40 * 3 + 20, box["y"] + 10)  # a picture takes 40 pixels where there is room
    wait_for(page, 3)
    page.mouse.move(box["x"] + 54 + 20, box["y"] + 20)
    assert "picture 1" in page.inner_text("#tip")
    assert settled(page, "timeline")[1] > 10


def test_plays_to_the_end(page):
    page.keyboard.press(" ")
    wait_for(page, PICTURES - 1)
    page.wait_for_selector("#play-shape[d^=M1]", state="attached")  # polling a function takes eval: the page forbids it


def test_says_when_the_viewer_has_gone(browser, session):
    server = make_server(session)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    page = browser.new_page()
    page.set_default_timeout(SECONDS)
    page.goto(f"http://{HOST}:{server.port}/")
    wait_for(page, 0)
    page.route("**/api/streams/**", lambda route: route.abort())
    page.keyboard.press("g")  # asks for pictures that no prefetch has fetched
    page.wait_for_selector("#banner:not([hidden])")
    page.close()
    server.shutdown()
    server.server_close()
    thread.join()
