"""For a WSGI server: `gunicorn -c python:portal.commands.gunicorn_conf wsgi:app`."""

from portal import create_app

app = create_app()
