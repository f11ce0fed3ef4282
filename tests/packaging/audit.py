"""Ask PyPI's advisories about what cuckmq needs at run time, in the versions that are installed.

    python -m tests.packaging.audit        (or `make audit`)

An audit that did not take place is no good news: whatever could not be asked about makes it fail as well. It
needs a PyPI that knows advisories, which mirrors most often do not; hence it is no part of `.ci/run`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement


def needed(name: str = "cuckmq") -> dict[str, str]:
    """Name what a package needs, and what that needs, with the versions installed; itself left out."""
    versions: dict[str, str] = {}
    waiting = [(name, frozenset[str]())]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        package, extras = each
        found = distribution(package)
        versions[package] = found.version
        for line in found.requires or ():
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                waiting.append((requirement.name.lower(), frozenset(requirement.extras)))
    del versions[name]
    return versions


def findings(versions: dict[str, str], report: dict[str, Any]) -> list[str]:
    """Say what a report of pip-audit has against these versions, or does not say of them."""
    told = {each["name"].lower(): each for each in report["dependencies"]}
    found: list[str] = []
    for name, version in sorted(versions.items()):
        about = told.get(name, {"skip_reason": "not reported"})
        if "skip_reason" in about:
            found.append(f"{name} {version} was not audited: {about['skip_reason']}")
        for advisory in about.get("vulns", ()):
            fixed = ", ".join(advisory["fix_versions"]) or "no version yet"
            found.append(f"{name} {version} has {advisory['id']}, mended in {fixed}")
    return found


def main() -> int:
    """Audit; 0 when everything was asked about and nothing was found."""
    try:
        versions = needed()
    except PackageNotFoundError as error:
        print(f"NOT AUDITED: {error} is not installed; install cuckmq with what it needs")
        return 1
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pins:
        pins.write("".join(f"{name}=={version}\n" for name, version in versions.items()))
        pins.flush()
        command = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--format", "json"]
        asked = subprocess.run(
            [*command, "--progress-spinner", "off", "--requirement", pins.name],
            check=False,
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
        )
    try:
        report = json.loads(asked.stdout)
    except ValueError:
        print(f"NOT AUDITED: pip-audit came to nothing\n{asked.stderr[-2000:]}")
        return 1
    found = findings(versions, report)
    print("\n".join(found))
    print(f"{len(versions)} packages, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
