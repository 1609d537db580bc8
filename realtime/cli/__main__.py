"""Run ``overheard`` as ``python -m realtime.cli``."""

from realtime.cli.main import run_program

run_program()
