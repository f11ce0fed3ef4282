"""Accepted."""
