"""``voicegw models list | pull | verify``: models and voices on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from voicegw.base.errors import ConfigError
from voicegw.config import load_config
from voicegw.inference.models.manifest import SHIPPED_MANIFEST, Manifest, Model, ModelFile, load_manifest
from voicegw.inference.models.sources import HttpSource, make_source
from voicegw.inference.models.store import ModelStore, State

_MEGA = 1_000_000
_STEP = 10
"""Per cent between two lines of progress."""


def run(arguments: argparse.Namespace) -> int:
    """Do what ``action`` says; 1 where something is missing or wrong."""
    config = load_config(arguments.config)
    manifest = load_manifest(arguments.manifest or SHIPPED_MANIFEST)
    store = ModelStore(Path(config.paths.models))
    if arguments.action == "list":
        return _list(manifest, store)
    if arguments.action == "verify":
        return _verify(manifest, store, arguments.names)
    return _pull(manifest, store, arguments.names, arguments.mirror or config.models.mirror)


def _list(manifest: Manifest, store: ModelStore) -> int:
    for model in manifest.models:
        state = store.state(model).value
        print(f"{model.name:28} {model.kind:8} {model.size // _MEGA:6} MB  {state:9} {model.licence}")
        print(f"    {model.about}")
    return 0


def _verify(manifest: Manifest, store: ModelStore, names: list[str]) -> int:
    """The named models, or all of which something is there."""
    chosen = [manifest.find(name) for name in names]
    if not names:
        chosen = [model for model in manifest.models if store.state(model) is not State.MISSING]
    damaged = False
    for model in chosen:
        faults = store.faults(model)
        damaged = damaged or bool(faults)
        print(f"{'damaged' if faults else 'ok'}: {model.name}")
        for fault in faults:
            print(f"    {fault}")
    if damaged:
        print("put it right with: voicegw models pull NAME")
    if not chosen:
        print(f"there is no model in {store.folder}")
    return int(damaged)


def _pull(manifest: Manifest, store: ModelStore, names: list[str], mirror: str) -> int:
    if not names:
        raise ConfigError("which model?", fix="voicegw models pull NAME...; voicegw models list has the names")
    chosen = [manifest.find(name) for name in names]
    source = make_source(mirror)
    try:
        for model in chosen:
            came = store.pull(model, source, _Progress(model))
            print(f"{model.name}: {f'{came} files came' if came else 'was there'}, checksums are right")
    finally:
        if isinstance(source, HttpSource):
            source.close()
    return 0


class _Progress:
    """A line for every ten per cent of a file."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._shown: dict[str, int] = {}

    def __call__(self, file: ModelFile, there: int) -> None:
        step = there * 100 // max(file.size, 1) // _STEP
        if self._shown.get(file.name) != step:
            self._shown[file.name] = step
            print(f"{self._model.name}: {file.name} {min(step * _STEP, 100)} % of {file.size / _MEGA:.1f} MB")
