"""Command line of ``overheard``: the entry point and the commands of the analyzer."""
