"""The supervisor's page at ``/console``: files of this package, no build step, nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.responses import FileResponse

from voicegw.api.problems import not_found

_FILES: Final = Path(__file__).parent / "console"
_TYPES: Final = {
    "index.html": "text/html; charset=utf-8",
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "api.js": "text/javascript; charset=utf-8",
    "line.js": "text/javascript; charset=utf-8",
    "sound.js": "text/javascript; charset=utf-8",
}
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cache-Control": "no-cache",
}


def add_console(app: FastAPI) -> None:
    """Serve the page. It is public, as a log-in page must be; all it shows comes from routes that are not."""

    async def page() -> FileResponse:
        return _file("index.html")

    async def part(name: str) -> FileResponse:
        if name not in _TYPES:
            raise not_found("page")
        return _file(name)

    app.add_api_route("/console", page, methods=["GET"], include_in_schema=False)
    app.add_api_route("/console/{name}", part, methods=["GET"], include_in_schema=False)


def _file(name: str) -> FileResponse:
    return FileResponse(_FILES / name, media_type=_TYPES[name], headers=_HEADERS)
