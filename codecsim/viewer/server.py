"""The web server of the page: on this machine only, read only, with nothing in a request that names a file."""

import importlib.resources
import json
import os
import socket
from typing import Any

import flask
import werkzeug.exceptions
import werkzeug.serving

from codecsim import __version__
from codecsim.errors import ConfigError
from codecsim.picture.planes import VideoFormat
from codecsim.viewer.layers import COMPONENTS, GAINS, LAYERS, needs_source, render
from codecsim.viewer.session import Session, StreamView

HOST = "127.0.0.1"
PAGE = {
    "index.html": "text/html; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "view.css": "text/css; charset=utf-8",
    "view.js": "text/javascript; charset=utf-8",
    "blocks.js": "text/javascript; charset=utf-8",
    "draw.js": "text/javascript; charset=utf-8",
    "facts.js": "text/javascript; charset=utf-8",
    "timeline.js": "text/javascript; charset=utf-8",
}
_HEADERS = {
    "Cache-Control": "no-store",  # another run may use the same port
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def make_app(session: Session, port: int) -> flask.Flask:
    """Flask application over a Session.

    Parameters
    ----------
    session : session.Session
    port : int, where it will be served; requests under another name than this machine's own are refused
    """
    app = flask.Flask("codecsim.viewer", static_folder=None, template_folder=None)
    hosts = {f"{name}:{port}" for name in (HOST, "localhost")}
    folder = importlib.resources.files("codecsim.viewer") / "page"
    page = {name: (folder / name).read_bytes() for name in PAGE}

    @app.before_request
    def refuse_strangers() -> None:
        # A name that somebody else's page has pointed to this machine would show up here.
        if flask.request.host not in hosts:
            flask.abort(403, "only for this machine")
        if flask.request.method not in ("GET", "HEAD"):
            flask.abort(405, "read only")

    @app.after_request
    def add_headers(response: flask.Response) -> flask.Response:
        response.headers.update(_HEADERS)
        return response

    def serve_page(name: str) -> flask.Response:
        return flask.Response(page[name], content_type=PAGE[name])

    for name in PAGE:
        url = "/" if name == "index.html" else f"/{name}"
        app.add_url_rule(url, name, lambda name=name: serve_page(name))

    def find_stream(number: int) -> StreamView:
        if number >= len(session.streams):
            flask.abort(404, "no such stream")
        return session.streams[number]

    def format_of(stream: StreamView) -> VideoFormat:
        assert stream.video_format is not None  # an open session has decoded a picture of each
        return stream.video_format

    @app.get("/api/about")
    def about() -> dict[str, Any]:
        video_format = format_of(session.streams[0])
        return {
            "version": __version__,
            "streams": [stream.name for stream in session.streams],
            "width": video_format.width,
            "height": video_format.height,
            "fps": float(video_format.fps),
            "layers": [name for name in LAYERS if session.streams[0].has_source or not needs_source(name)],
            "components": COMPONENTS,
            "gains": GAINS,
        }

    @app.get("/api/state")
    def state() -> list[dict[str, Any]]:
        """Progress, and the reports that the page does not have yet: ?have=12,10 for two streams."""
        try:
            have = [max(0, int(count)) for count in flask.request.args.get("have", "0").split(",")]
        except ValueError:
            flask.abort(400, "have: expected numbers")
        have += [0] * len(session.streams)
        return [stream.state(first) for stream, first in zip(session.streams, have, strict=False)]

    @app.get("/api/streams/<int:number>/pictures/<int:index>/blocks")
    def blocks(number: int, index: int) -> flask.Response:
        try:
            return flask.Response(find_stream(number).blocks(index), content_type="application/json")
        except KeyError:
            flask.abort(404, "not decoded yet")

    @app.get("/api/streams/<int:number>/pictures/<int:index>/<layer>.png")
    def layer(number: int, index: int, layer: str) -> flask.Response:
        stream = find_stream(number)
        try:
            gain = int(flask.request.args.get("gain", "1"))
            image = render(
                layer,
                lambda name: stream.layer(index, name),
                format_of(stream).bit_depth,
                flask.request.args.get("component", COMPONENTS[0]),
                gain,
            )
        except (ConfigError, ValueError) as error:
            flask.abort(400, str(error))
        except KeyError:
            flask.abort(404, "no such picture, or no source for it")
        return flask.Response(image, content_type="image/png")

    @app.errorhandler(werkzeug.exceptions.HTTPException)
    def explain(error: werkzeug.exceptions.HTTPException) -> flask.Response:
        return flask.Response(json.dumps({"error": error.description}), error.code, content_type="application/json")

    return app


class _SilentHandler(werkzeug.serving.WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Standard error is for the user."""


def make_server(session: Session, port: int = 0) -> werkzeug.serving.BaseWSGIServer:
    """A server of the page on `port`, 0: any free one; `serve_forever` and `shutdown` it.

    Raises
    ------
    ConfigError : the port is taken
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        try:
            if os.name == "posix":  # elsewhere it would let two servers share a port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, port))
            listener.listen(64)
        except OSError as error:
            raise ConfigError(f"port {port}: cannot be used ({error.strerror})") from None
        port = listener.getsockname()[1]
        app = make_app(session, port)
        return werkzeug.serving.make_server(
            HOST, port, app, threaded=True, request_handler=_SilentHandler, fd=listener.fileno()
        )
