"""Which channels a worker may be told to serve, once it lives."""

from __future__ import annotations

from cuckmq.errors import ConfigurationError
from cuckmq.names import check_name


def named_channels(channels: list[str] | None, verb: str, name: str) -> list[str]:
    """Give the channels that a worker names, to which one is to be added, or from which one is removed.

    Raises:
        ConfigurationError: the name cannot be one, or the worker serves all channels.
    """
    check_name("channel", name)
    if channels is None:
        raise ConfigurationError(
            f"cannot {verb} channel {name!r}: this worker serves all channels, those to come as well; "
            "name the channels in Worker(context, channels=[...])"
        )
    return channels
