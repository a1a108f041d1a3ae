"""The steps of the Dockerfile without a container engine: ``scripts/check-image`` runs this as root.

``build`` carries out both stages, instruction by instruction, in directories with nothing in them but this
machine's /usr, read-only, in place of the base image and of the packages that a stage installs. ``run`` starts what
came of it as the Dockerfile says: its user, no capabilities, a read-only root, a network of its own, until its
health check holds; then it is told to stop. Both need a mount namespace of their own, ``run`` also one of
processes and one of the network.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.unit.docker.dockerfile import DOCKER, ROOT, Instruction, dockerfile

_ETC: Final = (
    *(
        "alternatives",
        "ca-certificates",
        "group",
        "host.conf",
        "hosts",
        "ld.so.cache",
        "ld.so.conf",
        "ld.so.conf.d",
    ),
    *("login.defs", "nsswitch.conf", "passwd", "protocols", "resolv.conf", "services", "ssl"),
)
_DEVICES: Final = ("full", "null", "random", "urandom", "zero")
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PYTHON: Final = Path(sys.base_prefix)
_HEALTHY_S: Final = 120.0
_STOPPED_S: Final = 60.0
_POLL_S: Final = 0.25


def sh(*command: str) -> None:
    """Raises CalledProcessError."""
    subprocess.run(command, check=True)


class BareRoot:
    """A directory that is the root of what runs in it, as one stage has it."""

    def __init__(self, place: Path, stage: list[Instruction]) -> None:
        self.place = place
        self._stage = stage
        self.environment = {"PATH": f"{_PYTHON}/bin:{_PATH}", "HOME": "/root", **_pip_settings()}
        self.workdir = "/"
        self.last: dict[str, str] = {}
        """The newest value of each instruction that only says something."""

    def prepare(self) -> None:
        """What a base image brings, for stages to be built on."""
        for name in ("dev/shm", "etc", "opt", "proc", "root", "run", "tmp", "usr", "var/tmp"):
            (self.place / name).mkdir(parents=True, exist_ok=True)
        for name in ("bin", "lib", "lib64", "sbin"):
            if (link := Path("/", name)).is_symlink() and not (self.place / name).is_symlink():
                (self.place / name).symlink_to(link.readlink())
        for name in _ETC:
            source, target = Path("/etc", name), self.place / "etc" / name
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("private"))
            elif source.exists():
                shutil.copy(source, target)
        for name in _DEVICES:
            (self.place / "dev" / name).touch()

    def mount(self, *more: Path) -> None:
        """This machine's programs, read-only, and a few devices; ``more`` are directories of its, read-only too."""
        outside = () if _PYTHON.is_relative_to("/usr") else (_PYTHON,)
        for source in (Path("/usr"), *outside, *more):
            target = self.place / source.relative_to("/")
            target.mkdir(parents=True, exist_ok=True)
            sh("mount", "--bind", str(source), str(target))
            sh("mount", "-o", "remount,bind,ro", str(target))
        for name in _DEVICES:
            sh("mount", "--bind", f"/dev/{name}", str(self.place / "dev" / name))
        sh("mount", "-t", "proc", "proc", str(self.place / "proc"))

    def build(self, before: BareRoot | None) -> None:
        """Carry the instructions out; ``before`` is the stage that ``--from`` names."""
        for one in self._stage:
            match one.word:
                case "RUN":
                    self._run(one.value)
                case "COPY":
                    self._copy(one.value, before)
            self.take(one)

    def take(self, one: Instruction) -> None:
        """What holds for the instructions behind it, and for what runs in the end."""
        self.last[one.word] = one.value
        match one.word:
            case "WORKDIR":
                self.workdir = one.value
                (self.place / one.value.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "ENV":
                for name, value in re.findall(r"(\w+)=(\S+)", one.value):
                    self.environment[name] = value.replace("$PATH", self.environment["PATH"])

    def command(self, *words: str) -> list[str]:
        """``words`` run in here, from the working directory."""
        return ["chroot", str(self.place), "/bin/sh", "-c", f'cd {self.workdir} && exec "$@"', "sh", *words]

    def _run(self, value: str) -> None:
        """Without the packages: this machine has its own."""
        parts = [part.strip() for part in value.split("&&")]
        kept = [part for part in parts if not re.match(r"apt-get |rm -rf /var/lib/apt/", part)]
        if kept:
            print("RUN", " && ".join(kept), flush=True)
            subprocess.run(self.command("/bin/sh", "-ec", " && ".join(kept)), env=self.environment, check=True)

    def _copy(self, value: str, before: BareRoot | None) -> None:
        print("COPY", value, flush=True)
        *sources, target = value.split()
        place = self.place / str(Path(self.workdir, target)).lstrip("/")
        if sources[0].startswith("--from="):
            assert before is not None
            shutil.copytree(before.place / sources[1].lstrip("/"), place, symlinks=True, dirs_exist_ok=True)
            return
        for source in sources:
            for path in _sent(source):
                inside = path.relative_to(ROOT / source) if (ROOT / source).is_dir() else Path()
                onto = place / path.name if target.endswith("/") and inside == Path() else place / inside
                onto.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, onto)


def _sent(source: str) -> list[Path]:
    """The files of a source that docker/Dockerfile.dockerignore lets through."""
    rules = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    allowed = [ROOT / rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    found = [ROOT / source, *(ROOT / source).rglob("*")]
    files = [path for path in found if path.is_file() and "__pycache__" not in path.parts]
    sent = [path for path in files if any(path.is_relative_to(one) for one in allowed)]
    assert sent, f"{source}: nothing of it is sent"
    return sent


def _pip_settings() -> dict[str, str]:
    """Where this machine's pip gets its packages, as variables."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, check=False, capture_output=True, text=True)
    pairs = re.findall(r"^(?:global|:env:)\.([\w-]+)=(.*)$", listed.stdout, re.MULTILINE)
    return {f"PIP_{name.upper().replace('-', '_')}": ast.literal_eval(value) for name, value in pairs}


def _package_places() -> list[Path]:
    """Directories below / that pip's settings name: one that is looked up may lead to another beside it."""
    named = re.findall(r"(?<![\w/])(?:file://)?(/[\w.-]+/[\w.-]+)", " ".join(_pip_settings().values()))
    return sorted({Path(one) for one in named if Path(one).is_dir() and not one.startswith(("/etc/", "/usr/"))})


def _stages() -> list[list[Instruction]]:
    return dockerfile((DOCKER / "Dockerfile").read_text())


def build(work: Path) -> None:
    """Both stages, one directory each."""
    before: BareRoot | None = None
    for number, stage in enumerate(_stages()):
        root = BareRoot(work / f"stage{number}", stage)
        root.prepare()
        root.mount(*(_package_places() if number == 0 else ()))
        root.build(before)
        before = root


def run(work: Path) -> None:
    """Start it, ask for its health, stop it."""
    stage = _stages()[-1]
    root = BareRoot(work / f"stage{len(_stages()) - 1}", stage)
    for one in stage:
        root.take(one)
    user, group = root.last["USER"].split(":")
    sh("mount", "--bind", str(root.place), str(root.place))
    root.mount()
    for target in ("tmp", "dev/shm"):
        sh("mount", "-t", "tmpfs", "-o", "size=64m,mode=1777", "tmpfs", str(root.place / target))
    data = root.place / root.last["VOLUME"].lstrip("/")
    sh("mount", "-t", "tmpfs", "-o", f"size=256m,uid={user},gid={group},mode=0750", "tmpfs", str(data))
    sh("mount", "-o", "remount,bind,ro", str(root.place))
    sh("ip", "link", "set", "lo", "up")
    locked = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"]
    locked += ["--bounding-set=-all", "--inh-caps=-all"]
    environment = {name: value for name, value in root.environment.items() if not name.startswith("PIP_")}
    environment["PATH"] = environment["PATH"].replace(f"{_PYTHON}/bin:", "")
    program = root.command(*locked, *json.loads(root.last["ENTRYPOINT"]))
    health = root.command(*locked, *json.loads(root.last["HEALTHCHECK"].partition("CMD ")[2]))
    subprocess.run([*program, "--version"], env=environment, check=True)
    with subprocess.Popen([*program, *json.loads(root.last["CMD"])], env=environment) as server:
        try:
            _until_healthy(server, health, environment)
            server.send_signal(signal.Signals[root.last["STOPSIGNAL"]])
            status = server.wait(_STOPPED_S)
        finally:
            server.kill()
    if status:
        sys.exit(f"it ended with {status}")
    print("it was healthy, and stopped when it was told to", flush=True)


def _until_healthy(server: subprocess.Popen[bytes], health: list[str], environment: dict[str, str]) -> None:
    deadline = time.monotonic() + _HEALTHY_S
    while subprocess.run(health, env=environment, check=False).returncode:
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"it is not healthy after {_HEALTHY_S:.0f} s, or has ended ({server.poll()})")
        time.sleep(_POLL_S)


if __name__ == "__main__":
    {"build": build, "run": run}[sys.argv[1]](Path(sys.argv[2]))
