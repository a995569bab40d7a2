"""Settings of a gateway, changed while it runs, as an administrator would."""

import json
import socket


class Refused(Exception):
    """The commit was refused; problems is {member: text}."""

    def __init__(self, outcome):
        super().__init__(outcome["text"])
        self.problems = {p["member"]: p["text"] for p in outcome["problems"]}


def _ask(path, request, timeout=20):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout)
        s.connect(path)
        s.sendall(json.dumps(request).encode() + b"\n")
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    return json.loads(answer)


def commit(gateway, *changes, dry_run=False):
    """All changes at once: version, what changed, warnings, and which edges
    have confirmed it."""
    answer = _ask(gateway.control, {"verb": "settings-commit",
                                    "changes": changes, "dry_run": dry_run})
    assert answer["ok"], answer
    if answer["rc"] < 0:
        raise Refused(answer["outcome"])
    return answer["outcome"]


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
