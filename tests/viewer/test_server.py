import cv2
import numpy as np
import pytest

from codecsim.viewer.layers import LAYERS
from codecsim.viewer.server import PAGE, make_app
from codecsim.viewer.session import Session
from tests.viewer.conftest import HEIGHT, PICTURES, WIDTH

PORT = 4000


@pytest.fixture(scope="module")
def client(session):
    return make_app(session, PORT).test_client()


def get(client, path, host=f"127.0.0.1:{PORT}", method="GET"):
    return client.open(path, method=method, headers={"Host": host})


def test_the_page_is_in_the_package(client):
    for name in PAGE:
        response = get(client, "/" if name == "index.html" else f"/{name}")
        assert response.status_code == 200 and len(response.data) > 100
        assert response.content_type == PAGE[name]
    assert b"//" not in b"".join(line for line in get(client, "/").data.splitlines() if b"http" in line)


@pytest.mark.parametrize("host", ["example.com", "example.com:4000", "127.0.0.1", "127.0.0.1:4001", "[::1]:4000", ""])
def test_other_names_are_refused(client, host):
    for path in ("/", "/api/about", "/api/streams/0/pictures/0/picture.png"):
        assert get(client, path, host).status_code in (400, 403)


def test_localhost_is_this_machine(client):
    assert get(client, "/", f"localhost:{PORT}").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_read_only(client, method):
    assert get(client, "/api/about", method=method).status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/view.py",
        "/../setup.cfg",
        "/%2e%2e/server.py",
        "/page/index.html",
        "/static/view.js",
        "/api/streams/0/pictures/0/..%2f..%2fserver.png",
        "/api/streams/-1/pictures/0/picture.png",
        "/api/streams/2/pictures/0/picture.png",
        f"/api/streams/0/pictures/{PICTURES}/picture.png",
        f"/api/streams/1/pictures/{PICTURES - 2}/blocks",
    ],
)
def test_nothing_else_is_there(client, path):
    response = get(client, path)
    assert response.status_code in (400, 404)
    assert response.is_json and response.json["error"]


@pytest.mark.parametrize("query", ["gain=3", "gain=x", "component=rgb", "gain=1000000000000"])
def test_wrong_values_are_named(client, query):
    response = get(client, f"/api/streams/0/pictures/0/residual.png?{query}")
    assert response.status_code == 400 and response.json["error"]


def test_about_and_state(client, files):
    about = get(client, "/api/about").json
    assert about["streams"] == [files.learned, files.plain]
    assert (about["width"], about["height"], about["fps"]) == (WIDTH, HEIGHT, 25)
    assert {*about["layers"]} == {*LAYERS}
    state = get(client, "/api/state?have=4,0").json
    assert [len(stream["reports"]) for stream in state] == [PICTURES - 4, PICTURES - 2]
    assert all(stream["finished"] for stream in state)
    assert len(get(client, "/api/state").json[1]["reports"]) == PICTURES - 2
    assert get(client, "/api/state?have=x").status_code == 400


def test_every_layer_is_an_image(client, files):
    for layer in LAYERS:
        response = get(client, f"/api/streams/0/pictures/2/{layer}.png?component=y&gain=4")
        assert response.content_type == "image/png"
        image = cv2.imdecode(np.frombuffer(response.data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert image.shape[:2] == (HEIGHT, WIDTH)
        if layer == "source":
            np.testing.assert_array_equal(image, files.clip[1][2].y)


def test_without_a_source_there_is_no_error(files):
    with Session([files.small]) as session:
        client = make_app(session, PORT).test_client()
        assert not {"source", "error"} & {*get(client, "/api/about").json["layers"]}
        assert get(client, "/api/streams/0/pictures/0/error.png").status_code == 404


def test_nothing_is_kept_or_framed_elsewhere(client):
    headers = get(client, "/").headers
    assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
