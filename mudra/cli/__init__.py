"""The command line: one file per command, each importing what it needs only when it runs.

To add one: write its file with a function, and register it in `app.py`.
"""

from mudra.cli.app import main as main
