"""For a WSGI server: `gunicorn -c python:portal.commands.gunicorn_conf wsgi:app`."""

import sys

from portal import create_app

# What gunicorn takes for "do not try again".
CANNOT_BEGIN = 3

try:
    app = create_app()
except Exception as fault:
    from portal.commands.cli import SETUP_FAULTS, sentence_of

    if not isinstance(fault, SETUP_FAULTS):
        raise
    sys.stderr.write(f"Error: {sentence_of(fault)}\n")
    sys.exit(CANNOT_BEGIN)
