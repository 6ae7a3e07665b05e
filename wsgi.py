"""For a WSGI server: `gunicorn -c python:portal.gunicorn_conf wsgi:app`."""

from portal import create_app

app = create_app()
