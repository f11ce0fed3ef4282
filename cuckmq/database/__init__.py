"""Touching the database: the only floor that does."""
