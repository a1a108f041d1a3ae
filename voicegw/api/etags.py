"""Entity tags and preconditions (RFC 9110 §8.8.3, §13.1): nobody overwrites what they have not seen."""

from __future__ import annotations

from http import HTTPStatus

from voicegw.api.problems import ApiProblem


def etag_of(revision: int | str) -> str:
    """A strong tag of one revision of one resource."""
    return f'"{revision}"'


def demand_match(if_match: str | None, revision: int | str) -> None:
    """Raise 428 without an If-Match header and 412 where it names another revision; ``*`` matches what exists."""
    if if_match is None:
        detail = "send If-Match with the ETag of what you have read, so that no change of somebody else is lost"
        raise ApiProblem(HTTPStatus.PRECONDITION_REQUIRED, detail)
    if not matches(if_match, revision):
        detail = f"it has changed since: the current ETag is {etag_of(revision)}; read it again"
        raise ApiProblem(HTTPStatus.PRECONDITION_FAILED, detail, headers={"ETag": etag_of(revision)})


def matches(header: str, revision: int | str) -> bool:
    """Whether a list of tags names this revision. Weak tags never match strongly (RFC 9110 §8.8.3.2)."""
    tags = [tag.strip() for tag in header.split(",")]
    return "*" in tags or etag_of(revision) in tags


def is_fresh(if_none_match: str | None, revision: int | str) -> bool:
    """Whether the client's copy is this revision, so that 304 will do; weak comparison (§13.1.2)."""
    if if_none_match is None:
        return False
    return matches(if_none_match.replace("W/", ""), revision)
