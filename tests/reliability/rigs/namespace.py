"""A host of its own for one process: a network namespace, tied to this one by a wire that can be cut.

What is dropped is dropped inside the namespace, so nobody else on the machine notices. Nothing is refused and
nothing is reset: packets vanish, as they do when a host loses its power or a switch its mind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


class Namespace:
    """The other end of the wire.

    Attributes:
        near: our address on the wire, where servers for the namespace listen.
        inside: begins a command that is to run in there.
    """

    def __init__(self, name: str, near: str, near_end: str) -> None:
        self.near = near
        self._near_end = near_end
        self.inside = (_tool("ip"), "netns", "exec", name)

    def cut(self) -> None:
        """Drop all that comes in and all that goes out."""
        self._filter("-A", "INPUT", "-j", "DROP")
        self._filter("-A", "OUTPUT", "-j", "DROP")

    def deafen(self) -> None:
        """Drop all that comes in; what goes out arrives."""
        self._filter("-A", "INPUT", "-j", "DROP")

    def cut_flow(self, port: int) -> None:
        """Drop one connection's packets, known by its port in there."""
        self._filter("-A", "INPUT", "-p", "tcp", "--dport", str(port), "-j", "DROP")
        self._filter("-A", "OUTPUT", "-p", "tcp", "--sport", str(port), "-j", "DROP")

    def lose(self, part: float) -> None:
        """Drop this part of the packets, either way, by the dice."""
        for chain in ("INPUT", "OUTPUT"):
            self._filter(
                "-A", chain, "-m", "statistic", "--mode", "random", "--probability", f"{part}", "-j", "DROP"
            )

    def narrow(self, rate: str) -> None:
        """Let no more come in than that, as in `2mbit`."""
        shaped = ("root", "tbf", "rate", rate, "burst", "32kb", "latency", "400ms")
        subprocess.run([_tool("tc"), "qdisc", "add", "dev", self._near_end, *shaped], check=True)

    def heal(self) -> None:
        """Drop nothing any more."""
        self._filter("-F")

    def _filter(self, *words: str) -> None:
        subprocess.run([*self.inside, _tool("iptables"), "-w", *words], check=True)


@contextmanager
def namespace() -> Iterator[Namespace]:
    """Make a namespace, and take it away at the end. Needs root."""
    name = f"cuckmq-{os.getpid()}"
    near_end, far_end = f"cq{os.getpid()}a", f"cq{os.getpid()}b"
    # A net of four addresses for each process that runs tests.
    net = f"10.213.{os.getpid() // 64 % 256}.{os.getpid() % 64 * 4}"
    base, _, last = net.rpartition(".")
    near, far = f"{base}.{int(last) + 1}", f"{base}.{int(last) + 2}"
    _ip("netns", "add", name)
    try:
        _ip("link", "add", near_end, "type", "veth", "peer", "name", far_end, "netns", name)
        _ip("address", "add", f"{near}/30", "dev", near_end)
        _ip("link", "set", near_end, "up")
        for words in (
            ("address", "add", f"{far}/30", "dev", far_end),
            ("link", "set", far_end, "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", name, *words)
        yield Namespace(name, near, near_end)
    finally:
        # The wire first, or it is there for a while yet, in the way of the next one.
        subprocess.run([_tool("ip"), "link", "delete", near_end], check=False)
        _ip("netns", "delete", name)


def _ip(*words: str) -> None:
    subprocess.run([_tool("ip"), *words], check=True)


def _tool(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    assert path, f"{name} is not installed: apt-get install iproute2 iptables"
    return path
