"""The list of models that are known: what they are, and the size and checksum of every file."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from voicegw.base.errors import ConfigError
from voicegw.dialplan.checked import StrictModel, load_yaml, read_text

SHIPPED_MANIFEST = Path(__file__).resolve().parents[3] / "models" / "manifest.yaml"


def _inside(path: str) -> str:
    """A relative path that stays where it is put: the manifest may be somebody else's."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or "\\" in path:
        raise ValueError("must be a relative path without '..'")
    return path


RelativePath = Annotated[str, AfterValidator(_inside)]


class ModelFile(StrictModel):
    """One file of a model."""

    name: RelativePath
    size: int = Field(ge=0)
    """Bytes."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Model(StrictModel):
    """A model or a voice."""

    name: str
    """What configuration and commands call it."""
    kind: Literal["whisper", "piper", "vad", "eot"]
    about: str
    licence: str
    folder: RelativePath
    """Where its files lie in the folder of models."""
    source: RelativePath
    """Where its files lie on a mirror."""
    files: tuple[ModelFile, ...] = Field(min_length=1)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def path(self, models: Path, file: ModelFile) -> Path:
        """Where one of its files belongs."""
        return models / self.folder / file.name


class Manifest(StrictModel):
    """All of them."""

    models: tuple[Model, ...]

    def find(self, name: str) -> Model:
        """The model of that name; raises ConfigError."""
        for model in self.models:
            if model.name == name:
                return model
        known = ", ".join(model.name for model in self.models)
        raise ConfigError(f"there is no model called {name!r} in the manifest", fix=f"one of: {known}")


def load_manifest(path: Path = SHIPPED_MANIFEST) -> Manifest:
    """Read a manifest; raises ConfigError with file and line."""
    manifest, document = load_yaml(Manifest, read_text(path), str(path))
    seen: set[str] = set()
    for number, model in enumerate(manifest.models):
        if model.name in seen:
            raise document.error(("models", number, "name"), f"{model.name!r} is there twice", "rename one")
        seen.add(model.name)
    return manifest
