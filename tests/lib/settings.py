"""Settings of a gateway, changed while it runs, as an administrator would."""

import http.client
import json
import socket


class Refused(Exception):
    """The commit was refused; problems is {member: text}."""

    def __init__(self, error):
        super().__init__(error["text"])
        self.problems = {p["member"]: p["text"]
                         for p in error.get("problems", ())}


class _Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def commit(gateway, *changes, dry_run=False):
    """All changes at once: version, what changed, warnings, and which edges
    have confirmed it."""
    connection = _Connection(gateway.config["admin"]["socket"])
    try:
        connection.request(
            "POST", "/v1/batch" + ("?dry_run=true" if dry_run else ""),
            json.dumps({"changes": changes}),
            {"Content-Type": "application/json"})
        answer = json.load(connection.getresponse())
    finally:
        connection.close()
    if "error" in answer:
        raise Refused(answer["error"])
    return answer


def change(kind, key, method, object=None, version=None):
    row = {"kind": kind, "method": method}
    for name, value in (("key", key), ("object", object),
                        ("version", version)):
        if value is not None:
            row[name] = value
    return row


def put_partner(gateway, **row):
    return commit(gateway, change("partner", None, "PUT", row))


def set_partner(gateway, domain, **members):
    return commit(gateway, change("partner", domain, "PATCH", members))


def drop_partner(gateway, *domains):
    return commit(gateway,
                  *(change("partner", d, "DELETE") for d in domains))


def set_config(gateway, **members):
    """None = the default again."""
    return commit(gateway, change("gateway-config", None, "PATCH", members))


def grant(gateway, *users, policy="Imported"):
    return commit(gateway, *(
        change("grant", u, "PUT", {"PolicyName": policy}) for u in users))


def ungrant(gateway, *users):
    return commit(gateway, *(change("grant", u, "DELETE") for u in users))


def put_policy(gateway, name, **members):
    return commit(gateway, change("policy", name, "PUT", members))


def set_policy(gateway, name, **members):
    return commit(gateway, change("policy", name, "PATCH", members))


def set_access_edge(gateway, **members):
    return commit(gateway, change("access-edge", "global", "PATCH", members))
