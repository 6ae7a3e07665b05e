"""`python -m bench.queries EMAIL PASSWORD PATH…`: the queries that each page makes, as JSON by path."""

import json
import logging
import re
import sys

from portal import create_app


class Counted(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.statements: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # A statement is logged with its parameters; the pool logs plain sentences.
        if isinstance(record.msg, tuple):
            self.statements.append(record.msg[0])


def main(email: str, password: str, paths: list[str]) -> None:
    client = create_app().test_client()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/sign-in").text)
    assert token
    form = {"csrf_token": token[1], "email": email, "password": password}
    assert client.post("/sign-in", data=form).status_code == 303
    counted = Counted()
    logger = logging.getLogger("peewee")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(counted)
    found = {}
    for path in paths:
        # The first page of a session also keeps the token of its forms.
        client.get(path)
        counted.statements.clear()
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        found[path] = len(counted.statements)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
