"""asterisk/voicegw is a configuration that answers what asterisk/*.conf sends, and reaches what stands there."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from tests.unit.agents.talk import Talk, keys
from voicegw.agents.actions import Transfer
from voicegw.agents.load import load_flows
from voicegw.config import load_config
from voicegw.dialplan import RouteRequest, ToAgent, load_dialplan
from voicegw.gateway.trunk_files import load_trunks, parse_trunk
from voicegw.gateway.trunk_table import TrunkTable

SHIPPED = Path(__file__).parents[2] / "asterisk"
CONFIG = load_config(SHIPPED / "voicegw" / "voicegw.yaml")
PLAN = (SHIPPED / "extensions_voicegw.conf").read_text()
README = (SHIPPED / "README.md").read_text()
TRUNKS = ("asterisk", "asterisk-auth")


def context(name: str) -> str:
    (found,) = re.findall(rf"^\[{name}\]\n(.*?)(?=^\[|\Z)", PLAN, re.MULTILINE | re.DOTALL)
    return str(found)


def patterns(name: str) -> list[str]:
    """The numbers of a context of Asterisk's dialplan, as regular expressions."""
    found = re.findall(r"^exten => (_?[\dX]+),1,", context(name), re.MULTILINE)
    return [one.lstrip("_").replace("X", "[0-9]") for one in found]


@pytest.mark.parametrize("called", ["7000", "7001", "7099", "7100", "7199"])
def test_what_asterisk_sends_leads_to_an_agent(called: str) -> None:
    assert any(re.fullmatch(one, called) for one in patterns("to-voicegw")), "Asterisk sends it"
    flows = load_flows(Path(CONFIG.paths.agents))
    plan = load_dialplan(Path(CONFIG.paths.dialplan), flows.keys())
    decision = plan.route(RouteRequest(called, "2001", datetime(2026, 3, 3, 10, tzinfo=UTC)))
    assert isinstance(decision, ToAgent) and decision.agent in flows


def test_nothing_else_does() -> None:
    plan = load_dialplan(Path(CONFIG.paths.dialplan))
    for called in ("2001", "8000", "700", "70000", "+4930123456"):
        assert not isinstance(plan.route(RouteRequest(called, "2001", datetime(2026, 3, 3, tzinfo=UTC))), ToAgent)


@pytest.mark.parametrize("kept", TRUNKS)
def test_whichever_trunk_is_kept_the_targets_go_by_it_and_are_there(kept: str) -> None:
    trunks = load_trunks(Path(CONFIG.paths.trunks), {"VOICEGW_TRUNK_PASSWORD": "s"})
    assert tuple(sorted(trunks)) == TRUNKS
    table = TrunkTable([trunks[kept]])
    there = patterns("from-voicegw")
    for target in CONFIG.transfer.targets:
        (route,) = table.routes(target.destination)
        assert route.trunk is not None and route.trunk.name == kept
        assert any(re.fullmatch(one, route.number) for one in there), f"{target.name} has no extension"


def test_the_agent_hands_over_to_targets_that_there_are() -> None:
    flow = load_flows(Path(CONFIG.paths.agents))["front_desk"]
    targets = {target.name for target in CONFIG.transfer.targets}
    reached = set()
    for said in ("1", "2"):
        talk = Talk(flow)
        talk.take(keys(said))
        assert isinstance(talk.ended, Transfer)
        reached.add(talk.ended.target)
    talk = Talk(flow)
    talk.say("i want to speak to a human")
    assert isinstance(talk.ended, Transfer) and talk.ended.target == "queue"
    assert reached == targets == {"queue", "desk"}


def test_audiosocket_listens_where_asterisk_connects_and_to_nobody_else() -> None:
    (listener,) = CONFIG.audiosocket.listeners
    (port,) = re.findall(r"AudioSocket\([^,]+,192\.0\.2\.30:(\d+)\)", context("to-voicegw"))
    assert listener.port == int(port) and listener.allow == ("192.0.2.20",)


def test_the_readme_replaces_every_example_address() -> None:
    """Each side has one, in the files that its line of sed names."""
    assert r"sed -i 's/192\.0\.2\.20/ADDRESS-OF-THE-ASTERISK/' ~/line/voicegw.yaml ~/line/trunks/*.yaml" in README
    assert r"sed -i 's/192\.0\.2\.30/ADDRESS-OF-VOICEGW/' /etc/asterisk/voicegw/*.conf" in README
    for path in SHIPPED.rglob("*.*"):
        text = path.read_text()
        if path.parent == SHIPPED and path.suffix == ".conf":
            assert "192.0.2.20" not in text, path
        elif path.suffix == ".yaml":
            assert "192.0.2.30" not in text, path
            where = path.name == "voicegw.yaml" or path.parent.name == "trunks"
            assert where or "192.0.2.20" not in text, path


def test_the_readme_includes_every_file_where_its_head_says() -> None:
    told = dict(re.findall(r"^printf '\\n#include voicegw/(\S+)\\n' >> /etc/asterisk/(\S+)$", README, re.MULTILINE))
    assert told.keys() == {path.name for path in SHIPPED.glob("*.conf")}
    for name, into in told.items():
        head = re.search(
            rf"[Ii]n (\S+\.conf)[^\n]*:\s*(?:\n; *| +)#include voicegw/{name}", (SHIPPED / name).read_text()
        )
        assert head is not None and head[1] == into, f"{name} says another place"


def test_what_the_page_on_systemd_tells_to_put_together_is_a_configuration(tmp_path: Path) -> None:
    """docs/docker.md: the sections of asterisk/voicegw in the configuration of the service."""
    service = yaml.safe_load((SHIPPED.parent / "docker" / "systemd" / "voicegw.yaml").read_text())
    ours = yaml.safe_load((SHIPPED / "voicegw" / "voicegw.yaml").read_text())
    service["sip"] |= ours.pop("sip")
    service["paths"] |= ours.pop("paths")
    assert ours.keys() == {"transfer", "audiosocket"}, "the page names these two"
    (tmp_path / "voicegw.yaml").write_text(yaml.safe_dump(service | ours))
    config = load_config(tmp_path / "voicegw.yaml")
    assert config.sip.strangers == "refuse" and config.paths.agents == str(tmp_path / "agents")
    assert config.paths.dialplan == str(tmp_path / "dialplan.yaml")


def test_the_encrypted_trunk_of_the_readme_is_one() -> None:
    section = README.partition("## Encrypted")[2]
    (text,) = [block for block in re.findall(r"```yaml\n(.*?)```", section, re.DOTALL) if "srtp" in block]
    plain = (SHIPPED / "voicegw" / "trunks" / "asterisk.yaml").read_text()
    assert "port: 5060\n" in plain
    file = parse_trunk(plain.replace("port: 5060\n", text), "asterisk/README.md")
    assert file.port == 5061 and file.srtp == "required"
