"""The pages of ``docs/trunks``, out of their table: ``python -m voicegw.testing.trunk_pages`` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from voicegw.testing.trunk_profiles import TABLE, Profile, profiles

_LABELS: Final = {
    "sign_in": "Who is who",
    "addresses": "Addresses to allow",
    "codecs": "Codecs",
    "dtmf": "Keys (DTMF)",
    "hold": "Hold",
    "transfer": "Transfer",
    "encryption": "TLS, SRTP",
    "caller_id": "Caller's number",
    "timers": "Session timers",
    "quirks": "To know",
}
_INDEX: Final = """\
# Trunks, one page each

What to enter on both sides. Every page is written from [profiles.yaml](profiles.yaml) by
`python -m voicegw.testing.trunk_pages`. Every `trunk` in it is loaded by the server's own loader in the tests, and
the INVITEs of those marked *played* are sent to a running server, with sound both ways. Where a fact could not be
confirmed the page says so. All keys: [trunks.md](../trunks.md). `voicegw trunk test NAME` says what does not fit.
"""


def pages(root: Path) -> dict[str, str]:
    """Every page by its file name, the index among them."""
    table = profiles(root)
    return {"README.md": _index(table)} | {f"{name}.md": _page(name, one) for name, one in table.items()}


def _index(table: dict[str, Profile]) -> str:
    parts = [_INDEX]
    for kind, title in (("carrier", "Carriers"), ("pbx", "PBXs and proxies")):
        rows = [_row(name, one) for name, one in table.items() if one.kind == kind]
        parts.append(
            "\n".join((f"## {title}", "", "| | who is who | transfer | checked |", "|---|---|---|---|", *rows, ""))
        )
    return "\n".join(parts)


def _row(name: str, profile: Profile) -> str:
    played = "; *played*" if profile.plays is not None else ""
    first = (profile.facts.sign_in, profile.facts.transfer)
    return f"| [{profile.title}]({name}.md) | {' | '.join(first)} | {profile.checked.partition(';')[0]}{played} |"


def _page(name: str, profile: Profile) -> str:
    facts = [f"| {label} | {getattr(profile.facts, field)} |" for field, label in _LABELS.items()]
    return "\n".join(
        (
            f"# {profile.title}",
            "",
            f"Checked: {profile.checked}.",
            "",
            "## There",
            "",
            profile.theirs,
            f"## Here: `trunks/{name}.yaml`",
            "",
            "```yaml",
            f"{profile.trunk}```",
            "",
            "| | |",
            "|---|---|",
            *facts,
            "",
            "What holds today:",
            "",
            *(f"* <{source}>" for source in profile.sources),
            "",
        )
    )


def main() -> None:
    """Write them where they belong."""
    root = Path.cwd()
    for name, text in pages(root).items():
        (root / TABLE.parent / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
