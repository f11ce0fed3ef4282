"""The machinery inside the daemons: one duty a module."""
