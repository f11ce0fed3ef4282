"""Tests of the command line: the real commands, as processes."""
