"""docker-compose.yml says what README and docs say. There is no Docker engine to ask, so it is read."""

from __future__ import annotations

import configparser
import re
from datetime import timedelta
from typing import Any

import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from cuckmq import Context, Worker
from cuckmq.cli import COMMANDS
from tests.docs.pages import ROOT

LONG_RUNNING = {"database", "standby", "pooler", "worker", "orchestrator"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


def test_the_services(services: dict[str, Any]) -> None:
    assert set(services) == LONG_RUNNING | {"setup"}
    assert services["database"]["image"] == services["standby"]["image"] == "postgres:18"


def test_what_others_wait_for_can_be_waited_for(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert services[other]["healthcheck"]["test"][0] == "CMD", f"{name} waits for {other}"
            else:
                assert how["condition"] == "service_completed_successfully"
                assert other not in LONG_RUNNING


def test_ports_are_for_this_machine_only(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"database": ["127.0.0.1:5432:5432"], "pooler": ["127.0.0.1:6432:6432"]}


def test_data_outlive_containers(compose: dict[str, Any]) -> None:
    for name in ("database", "standby"):
        assert compose["services"][name]["volumes"] == [f"{name}:/var/lib/postgresql"]
        assert name in compose["volumes"]


@pytest.mark.parametrize("name", ["setup", "worker", "orchestrator"])
def test_the_environment_is_the_one_that_the_code_reads(services: dict[str, Any], name: str) -> None:
    environment = services[name]["environment"]
    code = "".join(path.read_text("utf-8") for path in (ROOT / "cuckmq").rglob("*.py"))
    code += (ROOT / "examples" / "service.py").read_text("utf-8")
    assert set(environment) == {"CUCKMQ_DATABASE_URL", "CUCKMQ_LISTEN_URL"}
    assert all(f'"{variable}"' in code for variable in environment)

    pooled = conninfo_to_dict(environment["CUCKMQ_DATABASE_URL"])
    direct = conninfo_to_dict(environment["CUCKMQ_LISTEN_URL"])
    assert (pooled["host"], pooled["port"]) == ("pooler", "6432")
    assert set(str(direct["host"]).split(",")) == {"database", "standby"}
    assert direct["target_session_attrs"] == "read-write"
    server = services["database"]["environment"]
    for dsn in (pooled, direct):
        assert (dsn["user"], dsn["password"], dsn["dbname"]) == (
            server["POSTGRES_USER"], server["POSTGRES_PASSWORD"], server["POSTGRES_DB"],
        )  # fmt: skip


@pytest.mark.parametrize("name", ["worker", "orchestrator"])
def test_the_commands_exist(services: dict[str, Any], name: str) -> None:
    program, command, app = services[name]["command"]
    assert (program, app) == ("cuckmq", "service:context")
    assert command == name
    assert command in COMMANDS


def test_a_worker_is_given_the_time_it_takes_to_stop(services: dict[str, Any]) -> None:
    grace = re.fullmatch(r"(\d+)s", services["worker"]["stop_grace_period"])
    assert grace is not None
    worker = Worker(Context("postgresql://nowhere"))
    assert timedelta(seconds=int(grace[1])) > timedelta(seconds=worker._shutdown_secs)


def test_the_pooler_pools_by_transaction(compose: dict[str, Any]) -> None:
    settings = configparser.ConfigParser(allow_no_value=True)
    settings.read_string(compose["configs"]["pgbouncer"]["content"])
    assert settings["pgbouncer"]["pool_mode"] == "transaction"
    assert settings["pgbouncer"]["listen_port"] == "6432"
    assert conninfo_to_dict(settings["databases"]["app"])["host"] == "database"
    mounted = {each["target"] for each in compose["services"]["pooler"]["configs"]}
    assert settings["pgbouncer"]["auth_file"] in mounted


def test_configs_and_files_are_there(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert {each["source"] for each in service.get("configs", ())} <= set(compose["configs"])
    copied = re.findall(r"^COPY (.+) \S+$", compose["x-service"]["build"]["dockerfile_inline"], re.MULTILINE)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists(), name
