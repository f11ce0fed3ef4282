"""`python -m cuckmq`: the same as `cuckmq`."""

from cuckmq.cli import main

main(prog_name="cuckmq")
