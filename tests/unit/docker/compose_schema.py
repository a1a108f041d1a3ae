"""All compose files against the schema of the Compose specification, whose file is the only argument.

The schema is theirs, so it is not here: ``scripts/check-image`` takes it from ``COMPOSE_SCHEMA``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from tests.unit.docker.dockerfile import DOCKER
from tests.unit.docker.files import compose


def _without_resets(value: Any) -> Any:
    """``!reset`` takes a key away, so that the merged file has none."""
    if not isinstance(value, dict):
        return value
    return {name: _without_resets(one) for name, one in value.items() if one is not None or name.startswith("x-")}


def main(schema: Path) -> int:
    """Print what is wrong; 1 where something is."""
    schema_of_compose = Draft7Validator(json.loads(schema.read_text()))
    wrong = 0
    for path in sorted(DOCKER.glob("compose*.yaml")):
        found = compose(path.name)
        # A volume without options is null, which is no reset.
        checked = {name: _without_resets(one) if name == "services" else one for name, one in found.items()}
        for error in schema_of_compose.iter_errors(checked):
            wrong += 1
            print(f"{path.name}: {error.json_path}: {error.message}")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
