"""Generated hostile and odd inputs for every way into the program, and a command that tries many of them.

``python -m tests.support.fuzzing --help`` describes the command. An input is determined by its kind, its
number and the seed, so a finding is repeated by these three.
"""
