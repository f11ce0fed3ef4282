"""Wheel and source distribution hold what the repository has, all of it and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

BUILD = "import sys, hatchling.build as b; b.build_wheel(sys.argv[1]); b.build_sdist(sys.argv[1])"
#: What .gitignore keeps out of the repository's folders.
MADE = {"__pycache__", "node_modules", "part.json"}
FOLDERS = (".ci", "benchmarks", "cuckmq", "docs", "examples", "migrations", "tests")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    subprocess.run([sys.executable, "-c", BUILD, folder], cwd=ROOT, check=True)
    return folder


def in_repository(folder: str) -> set[str]:
    paths = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    kept = (path for path in paths if not MADE & set(path.parts) and path.suffix != ".part")
    return {path.relative_to(ROOT).as_posix() for path in kept}


@pytest.mark.fault("I15")
def test_the_wheel_is_the_package(built: Path) -> None:
    """SQL and py.typed included; no tests, no caches."""
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        for name in names:
            assert wheel.read(name) == (ROOT / name).read_bytes()
    assert names == in_repository("cuckmq")
    assert {Path(name).suffix for name in names} == {".py", ".sql", ".typed"}


@pytest.mark.fault("I15")
def test_the_source_distribution_is_the_repository(built: Path) -> None:
    """So that all that it holds can be tested, measured and built again from it."""
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    for folder in FOLDERS:
        assert {name for name in names if name.startswith(f"{folder}/")} == in_repository(folder)
    assert {name for name in names if "/" not in name} == {
        ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "PKG-INFO", "README.md",
        "SECURITY.md", "alembic.ini", "docker-compose.yml", "pyproject.toml",
    }  # fmt: skip
    assert {name.partition("/")[0] for name in names if "/" in name} == set(FOLDERS)
