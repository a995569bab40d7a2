"""A client of the gateway's HTTP interface that holds each answer against
openapi.json, and remembers which of them it has seen."""

import http.client
import json
import os
import re
import socket
import urllib.parse

from .authority import TREE

FILE = os.path.join(TREE, "frontend-gateway", "admin", "openapi.json")

with open(FILE, encoding="utf-8") as f:
    DESCRIPTION = json.load(f)


# --- the description ---------------------------------------------------------

def follow(value):
    while isinstance(value, dict) and "$ref" in value:
        at = DESCRIPTION
        for name in value["$ref"][2:].split("/"):
            at = at[name]
        value = at
    return value


TYPES = {"string": str, "boolean": bool, "object": dict, "array": list,
         "null": type(None), "integer": int}


def is_of(value, name):
    return isinstance(value, TYPES[name]) and not (
        name == "integer" and isinstance(value, bool))


def conforms(value, schema, where="answer"):
    """As much of JSON Schema as the description uses."""
    schema = follow(schema)
    if "anyOf" in schema:
        for one in schema["anyOf"]:
            try:
                return conforms(value, one, where)
            except AssertionError:
                continue
        raise AssertionError(f"{where}: fits none of {schema['anyOf']}")
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    assert not kinds or any(is_of(value, k) for k in kinds), \
        f"{where}: {value!r} is no {kinds}"
    assert value in schema.get("enum", [value]), f"{where}: {value!r}"
    if isinstance(value, dict):
        known = schema.get("properties", {})
        missing = set(schema.get("required", [])) - set(value)
        assert not missing, f"{where}: {missing} is missing"
        for name, one in value.items():
            if name in known:
                conforms(one, known[name], f"{where}/{name}")
            else:
                assert schema.get("additionalProperties", True), \
                    f"{where}: {name} is not described"
    if isinstance(value, list) and "items" in schema:
        for i, one in enumerate(value):
            conforms(one, schema["items"], f"{where}/{i}")
    return True


def operations():
    """{(method, path): operation}"""
    return {(method.upper(), path): op
            for path, ops in DESCRIPTION["paths"].items()
            for method, op in ops.items()}


def operation_of(method, target):
    path = target.split("?")[0]
    for (verb, template), op in operations().items():
        pattern = re.sub(r"\\{.*?\\}", "[^/]+", re.escape(template))
        if verb == method and re.fullmatch(pattern, path):
            return template, op
    return None, None


# --- the client --------------------------------------------------------------

class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()
        kind = (response.headers.get_content_type()
                if response.headers["Content-Type"] else None)
        self.lines = self.json = None
        if kind == "application/json" and self.text:
            self.json = json.loads(self.text)
        elif kind == "application/x-ndjson":
            self.lines = [json.loads(l) for l in self.text.splitlines()]
        self.kind = kind

    @property
    def tag(self):
        return self.headers["ETag"]


class Api:
    """One caller: by the Unix socket, or at an address with a token."""

    def __init__(self, socket_path=None, address=None, token=None, timeout=30,
                 seen=None):
        self.socket_path, self.address = socket_path, address
        self.token, self.timeout = token, timeout
        self.seen = set() if seen is None else seen
        self.connection = None

    def connect(self):
        if self.socket_path is not None:
            return UnixConnection(self.socket_path, self.timeout)
        host, port = self.address.rsplit(":", 1)
        return http.client.HTTPConnection(host, int(port),
                                          timeout=self.timeout)

    def headers(self, more):
        mine = {} if self.token is None else {
            "Authorization": f"Bearer {self.token}"}
        return {**mine, **(more or {})}

    def ask(self, method, target, body=None, **headers):
        """body: an object, or bytes as they are.  Checked against the
        description, whatever the status."""
        names = {k.replace("_", "-"): v for k, v in headers.items()}
        if body is not None:
            names.setdefault("Content-Type", "application/json")
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
        if self.connection is None:
            self.connection = self.connect()
        self.connection.request(method, target, body, self.headers(names))
        answer = Answer(self.connection.getresponse())
        if answer.headers["Connection"] == "close":
            self.close()
        self.check(method, target, answer)
        return answer

    def check(self, method, target, answer):
        method = "GET" if method == "HEAD" else method
        template, op = operation_of(method, target)
        if op is None:
            assert answer.status in (400, 401, 403, 404, 405), answer.text
            return
        said = op["responses"].get(str(answer.status))
        assert said is not None, \
            f"{method} {template}: {answer.status} is not described: " \
            f"{answer.text}"
        self.seen.add((method, template, answer.status))
        content = follow(said).get("content", {})
        if answer.text:
            assert answer.kind in content, f"{template}: {answer.kind}"
            schema = content[answer.kind]["schema"]
            for one in answer.lines or ():
                conforms(one, schema)
            if answer.json is not None:
                conforms(answer.json, schema)

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- a little less to write

    def get(self, target, **headers):
        return self.ask("GET", target, **headers)

    def put(self, target, body, **headers):
        return self.ask("PUT", target, body, **headers)

    def patch(self, target, body, **headers):
        return self.ask("PATCH", target, body, **headers)

    def post(self, target, body, **headers):
        return self.ask("POST", target, body, **headers)

    def delete(self, target, **headers):
        return self.ask("DELETE", target, **headers)


class Events:
    """/v1/events, or another stream of the kind, read as it comes."""

    def __init__(self, api, last=None, target="/v1/events"):
        self.connection = api.connect()
        more = {} if last is None else {"Last-Event-ID": last}
        self.connection.request("GET", target, None, api.headers(more))
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()

    def next(self):
        """(event, data, id)"""
        event = data = number = None
        while True:
            line = self.response.readline().decode()
            if not line:
                raise ConnectionError("the stream has ended")
            line = line.rstrip("\n")
            if line.startswith("event: "):
                event = line[7:]
            elif line.startswith("data: "):
                data = json.loads(line[6:])
            elif line.startswith("id: "):
                number = line[4:]
            elif line == "" and event is not None:
                return event, data, number

    def await_event(self, event, **members):
        while True:
            name, data, number = self.next()
            if name == event and all(data.get(k) == v
                                     for k, v in members.items()):
                return data, number

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def key(text):
    return urllib.parse.quote(text, safe="")
