"""``voicegw COMMAND``: what each command takes, and which module carries it out."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

from voicegw import __version__
from voicegw.base.errors import VoicegwError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 is success, 1 a failure that is explained on standard error, 2 wrong usage; 130 and
    141 as shells count SIGINT and SIGPIPE."""
    arguments = _parser().parse_args(argv)
    try:
        status = int(_import(arguments.command).run(arguments))
        sys.stdout.flush()
        return status
    except VoicegwError as error:
        print(f"voicegw: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever reads has seen enough (head, less)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still in the buffer goes there
        return 141


def _import(command: str) -> ModuleType:
    """Imported when chosen: the speech and media parts of one command would cost every other a second or two.

    What modules make stays: to look for garbage among it takes a tenth of the start, and later, in a server, every
    full collection would stop the event loop for as long as it takes to visit all of it once more.
    """
    gc.disable()
    module = importlib.import_module(f"voicegw.cli.{command}")
    gc.freeze()
    gc.enable()
    return module


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="voicegw", description="A telephony-first voice agent server on SIP.")
    parser.add_argument("--version", action="version", version=f"voicegw {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_control(commands)
    _add_top(commands)
    _add_calls(commands)
    _add_bans(commands)
    _add_keys(commands)
    _add_backup(commands)
    _add_check(commands)
    _add_settings(commands)
    _add_route_test(commands)
    _add_call(commands)
    _add_doctor(commands)
    _add_demo(commands)
    _add_models(commands)
    _add_recordings(commands)
    _add_phone(commands)
    _add_trunk(commands)
    _add_store(commands)
    _add_nodes(commands)
    return parser


_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", "-c", type=Path, help="configuration file; without one the embedded defaults")


def _add_serve(commands: _Commands) -> None:
    parser = commands.add_parser("serve", help="answer calls until Ctrl-C, then drain")
    _add_config(parser)
    parser.set_defaults(command="serve")


def _add_top(commands: _Commands) -> None:
    parser = commands.add_parser("top", help="watch a running server: calls, latency, MOS, workers, trunks")
    _add_config(parser)
    _add_api(parser)
    parser.add_argument("--every", type=float, default=2.0, metavar="S", help="look so often, in seconds")
    parser.add_argument("--once", action="store_true", help="look once")
    parser.add_argument("--json", action="store_true", help="look once, and tell it as JSON")
    parser.set_defaults(command="top")


def _add_calls(commands: _Commands) -> None:
    calls = commands.add_parser("calls", help="calls of a running server")
    actions = calls.add_subparsers(required=True, metavar="ACTION")
    capture = actions.add_parser("capture", help="the packets of a running call, SIP and RTP, into a file")
    _add_config(capture)
    capture.add_argument("call", metavar="ID", help="the call, as voicegw top shows it")
    capture.add_argument("--out", type=Path, required=True, metavar="FILE", help="such as call.pcap")
    capture.add_argument("--seconds", type=float, default=600.0, metavar="S", help="end it after so long (600)")
    capture.add_argument("--headers-only", action="store_true", help="nothing of what is said")
    _add_api(capture)
    capture.set_defaults(command="calls")


def _add_bans(commands: _Commands) -> None:
    bans = commands.add_parser("bans", help="whom the guard of a running server ignores")
    _add_config(bans)
    change = bans.add_mutually_exclusive_group()
    change.add_argument("--add", metavar="ADDRESS", help="ignore it from now on")
    change.add_argument("--lift", metavar="ADDRESS", help="hear it again")
    bans.add_argument("--seconds", type=int, default=3600, metavar="S", help="with --add: for so long (3600)")
    _add_api(bans)
    bans.set_defaults(command="bans")


def _add_keys(commands: _Commands) -> None:
    keys = commands.add_parser("keys", help="the first administrator and keys of the API of a running server")
    actions = keys.add_subparsers(dest="action", required=True, metavar="ACTION")
    first = actions.add_parser("first", help="make the first administrator; reads the password")
    first.add_argument("link", metavar="LINK", help="of the server's log: http://…/setup#vgl_…")
    make = actions.add_parser("make", help="make a key and print it, this once")
    make.add_argument("name", metavar="NAME", help="such as prometheus")
    make.add_argument(
        "--scope", action="append", required=True, metavar="PERMISSION", help="such as metrics; may be repeated"
    )
    make.add_argument("--days", type=int, metavar="N", help="it ends after so many; else when it is revoked")
    list_ = actions.add_parser("list", help="keys that there are, without their secrets")
    revoke = actions.add_parser("revoke", help="end a key, at once and for good")
    revoke.add_argument("name", metavar="NAME")
    for one in (first, make, list_, revoke):
        _add_config(one)
        one.add_argument("--user", required=True, metavar="NAME", help="who you are; the password is asked for")
        one.add_argument("--url", help="of the server's API; else where the configuration says")
    for one in (make, list_, revoke):
        one.add_argument("--code", default="", metavar="DIGITS", help="of your authenticator app, if you use one")
    keys.set_defaults(command="keys")


def _add_api(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", help="of its API; else where the configuration says")
    parser.add_argument("--key-file", type=Path, help="a file with a key; else the variable VOICEGW_API_KEY")


def _add_control(commands: _Commands) -> None:
    drain = commands.add_parser("drain", help="let the running server take no new calls")
    drain.add_argument("--deadline", type=float, metavar="S", help="running calls may go on for so many seconds")
    drain.add_argument("--farewell", choices=("goodbye", "transfer", "hangup"), help="for calls that are left then")
    drain.add_argument("--to", metavar="TARGET", help="with --farewell transfer: where they are sent")
    drain.add_argument("--stop", action="store_true", help="the server ends with its last call")
    drain.add_argument("--wait", action="store_true", help="return when the server is empty")
    undrain = commands.add_parser("undrain", help="let the running server take calls again")
    status = commands.add_parser("status", help="whether the running server takes calls, and how many it has")
    reload = commands.add_parser("reload", help="let the running server read its files anew")
    for name, one in (("drain", drain), ("undrain", undrain), ("status", status), ("reload", reload)):
        _add_config(one)
        one.add_argument("--json", action="store_true", help="as JSON")
        one.set_defaults(command="control", action=name)


def _add_backup(commands: _Commands) -> None:
    backup = commands.add_parser("backup", help="everything that this installation is, into one file")
    backup.add_argument("file", type=Path, metavar="FILE", help="such as voicegw.tar.gz; it must not be there yet")
    backup.add_argument("--recordings", action="store_true", help="recordings of calls, too")
    backup.add_argument("--without-keys", action="store_true", help="leave private keys out")
    _add_config(backup)
    restore = commands.add_parser("restore", help="a backup back into an empty place")
    restore.add_argument("file", type=Path, metavar="FILE")
    restore.add_argument(
        "directory", type=Path, nargs="?", default=Path(), metavar="DIR", help="where the configuration goes"
    )
    restore.add_argument("--verify", action="store_true", help="only look whether the backup is whole")
    for name, one in (("backup", backup), ("restore", restore)):
        one.set_defaults(command="backup", action=name)


def _add_nodes(commands: _Commands) -> None:
    parser = commands.add_parser("nodes", help="the nodes of the cluster")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--dispatcher", action="store_true", help="as the list of Kamailio's dispatcher")
    _add_config(parser)
    parser.set_defaults(command="nodes")


def _add_check(commands: _Commands) -> None:
    parser = commands.add_parser("check", help="check configuration, dialplan and agents")
    _add_config(parser)
    parser.set_defaults(command="check")


def _add_settings(commands: _Commands) -> None:
    parser = commands.add_parser("settings", help="every key of the configuration file: default, meaning, reload")
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="such as sip or sip.guard")
    parser.set_defaults(command="settings")


def _add_route_test(commands: _Commands) -> None:
    parser = commands.add_parser("route-test", help="explain where a call would go, and why")
    _add_config(parser)
    parser.add_argument("--to", required=True, help="the called number or name")
    parser.add_argument("--from", dest="from_", default="anonymous", help="the calling number")
    parser.add_argument("--at", default="", help="local date and time, such as 2026-03-01T09:30; now if left out")
    parser.add_argument("--header", action="append", default=[], metavar="NAME:VALUE", help="a SIP header")
    parser.add_argument("--trunk", default="", help="the trunk that the call comes by")
    parser.add_argument("--original", default="", help="the number that the caller had dialled at first")
    parser.add_argument("--siprec", action="store_true", help="it is a recording session")
    verdicts = ("passed", "failed", "none")
    parser.add_argument("--verified", default="", choices=verdicts, help="what became of the caller's signature")
    parser.add_argument(
        "--attestation", default="", choices=("A", "B", "C"), help="what it attests; implies passed"
    )
    parser.set_defaults(command="route_test")


def _add_call(commands: _Commands) -> None:
    parser = commands.add_parser("call", help="a SIP softphone in the terminal")
    _add_config(parser)
    parser.add_argument("uri", help="whom to call, such as sip:demo@192.0.2.1")
    parser.add_argument("--say", action="append", default=[], metavar="TEXT", help="speak this; may be repeated")
    parser.add_argument("--wav", action="append", default=[], type=Path, help="play this file; may be repeated")
    parser.add_argument("--keys", default="", help="press these keys when the far end first falls silent")
    parser.add_argument("--voice", default="rms", help="the voice of what --say says (flite)")
    parser.add_argument("--record", type=Path, help="write both sides to this stereo WAV")
    parser.add_argument("--from", dest="from_", default="", help="our own SIP URI")
    parser.add_argument("--no-transcript", action="store_true", help="do not recognise the far end's speech")
    parser.set_defaults(command="call")


def _add_doctor(commands: _Commands) -> None:
    parser = commands.add_parser("doctor", help="look at this machine and say what to do")
    _add_config(parser)
    parser.set_defaults(command="doctor")


def _add_demo(commands: _Commands) -> None:
    parser = commands.add_parser("demo", help="a real call with a synthetic caller, with transcript and summary")
    parser.add_argument("--out", type=Path, default=Path("var/demo"), help="where the WAV and the summary go")
    parser.add_argument("--line", choices=("demo", "orders"), default="demo", help="which line is called")
    parser.add_argument("--verbose", action="store_true", help="show the server's log as well")
    parser.set_defaults(command="demo")


def _add_phone(commands: _Commands) -> None:
    parser = commands.add_parser("phone", help="phones that register here")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    secret = actions.add_parser("secret", help="read a password, print the entry for phones.accounts")
    secret.add_argument("name", metavar="NAME", help="the phone, such as anna")
    secret.add_argument("--realm", default="", help="what the password is for; phones.domain if left out")
    _add_config(secret)
    parser.set_defaults(command="phone")


def _add_trunk(commands: _Commands) -> None:
    parser = commands.add_parser("trunk", help="list, check and test trunks")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    list_ = actions.add_parser("list", help="the trunks that a server has")
    check = actions.add_parser("check", help="everything that is wrong with their files")
    test = actions.add_parser("test", help="ask a trunk, register, call, and say what to change")
    test.add_argument("name", metavar="NAME", help="the trunk")
    test.add_argument(
        "--call", default="", metavar="NUMBER", help="whom to call; test_number of the trunk if left out"
    )
    test.add_argument("--seconds", type=float, default=8.0, help="how long the call is listened to")
    for one in (list_, check, test):
        _add_config(one)
        one.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(command="trunk")


def _add_recordings(commands: _Commands) -> None:
    parser = commands.add_parser("recordings", help="open sealed recordings, and make their keys")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    keygen = actions.add_parser("keygen", help="make a pair of keys: NAME.key and NAME.pub")
    keygen.add_argument("name", type=Path, metavar="NAME")
    info = actions.add_parser("info", help="which keys open these files")
    unseal = actions.add_parser("unseal", help="write a sealed recording as a WAV")
    unseal.add_argument("file", type=Path, metavar="FILE")
    unseal.add_argument("--out", type=Path, required=True, help="the WAV; must not exist")
    unseal.add_argument("--cut", action="store_true", help="also one that has no end mark")
    seal = actions.add_parser("seal", help="seal recordings that lie there in plain")
    rewrap = actions.add_parser("rewrap", help="give sealed recordings to other keys")
    for one in (info, seal, rewrap):
        one.add_argument("files", type=Path, nargs="+", metavar="FILE")
    for one in (unseal, seal, rewrap):
        _add_config(one)
    for one in (unseal, rewrap):
        one.add_argument("--key", action="append", default=[], help="a private key; else recording.unseal_with")
    for one in (seal, rewrap):
        one.add_argument("--to", action="append", default=[], help="a public key; else recording.seal_to")
    parser.set_defaults(command="recordings")


def _add_models(commands: _Commands) -> None:
    parser = commands.add_parser("models", help="list, fetch and check models and voices")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, help_ in (
        ("list", "what the manifest knows, and what is here"),
        ("pull", "fetch models from a mirror, and go on where it broke off"),
        ("verify", "read every file and compare checksums"),
    ):
        one = actions.add_parser(action, help=help_)
        _add_config(one)
        one.add_argument("--manifest", type=Path, help="another list of models than the one that ships")
        if action != "list":
            one.add_argument("names", nargs="*", metavar="NAME", help="names of models")
        if action == "pull":
            one.add_argument("--from", dest="mirror", default="", help="web address or directory of a mirror")
    parser.set_defaults(command="models")


def _add_store(commands: _Commands) -> None:
    parser = commands.add_parser("store", help="verify, export and erase calls; documents and files; migrations")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    verify = actions.add_parser("verify", help="recompute every chain, the anchors and the audit")
    verify.add_argument("--call", default="", metavar="ID", help="only this call")
    export = actions.add_parser("export", help="all that is known of a number, as a ZIP of JSON and recordings")
    export.add_argument("number", nargs="?", default="", metavar="NUMBER", help="as it was signalled")
    export.add_argument("--all", action="store_true", help="every call there is")
    export.add_argument("file", type=Path, metavar="FILE", help="must not exist")
    erase = actions.add_parser("erase", help="erase all that is known of a number, and print the certificate")
    erase.add_argument("number", metavar="NUMBER", help="as it was signalled")
    erase.add_argument("--yes", action="store_true", help="do not ask")
    erase.add_argument("--reason", default="asked to", help="what the certificate says")
    import_ = actions.add_parser("import", help="take dialplans and agents of a directory in, and publish them")
    import_.add_argument("--draft", action="store_true", help="do not publish them")
    dump = actions.add_parser("dump", help="write what is published into a directory")
    for one in (import_, dump):
        one.add_argument(
            "directory", type=Path, metavar="DIR", help="NAME.yaml: dialplans; agents/NAME.yaml: agents"
        )
    rejected = actions.add_parser("rejected", help="facts that the database would not take")
    rejected.add_argument("what", choices=("list", "retry"))
    ladder = actions.add_parser("ladder", help="the SIP messages of a call, drawn with arrows")
    ladder.add_argument("call", metavar="ID", help="of the call")
    ladder.add_argument("--json", action="store_true", help="as JSON")
    ladder.add_argument("--pcap", type=Path, metavar="FILE", help="into a packet capture, where texts were kept")
    migrate = actions.add_parser("migrate", help="bring the tables up to date, as a start of the server does")
    key = actions.add_parser("key", help="whether api.key_file has the key of the store's secrets")
    change = key.add_mutually_exclusive_group()
    change.add_argument(
        "--take",
        action="store_true",
        help="make it the store's key; what another one has sealed is to be entered anew. Stop all nodes first",
    )
    change.add_argument(
        "--from", dest="old", type=Path, metavar="FILE", help="the same, and seal anew what the key in FILE opens"
    )
    for one in (verify, export, erase, import_, dump, rejected, ladder, migrate, key):
        _add_config(one)
    parser.set_defaults(command="store")
