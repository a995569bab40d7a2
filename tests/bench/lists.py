"""What long lists take over the HTTP interface: 1 000 partners and 50 000
grants, read as lines and page by page."""

import json
import os
import sys
import time
from types import SimpleNamespace

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from lib.admin_api import Api                       # noqa: E402
from lib.authority import Authority                 # noqa: E402
from lib.daemons import Gateway                     # noqa: E402
from lib.run import Run                             # noqa: E402

PARTNERS, GRANTS, PAGE = 1000, 50000, 1000


def gateway(run):
    """One whose edge and pool are away."""
    away = run.address(99)
    g = Gateway(run, Authority(run, "internal"),
                [SimpleNamespace(node="edge1.contoso.example",
                                 inner_address=away, inner_port=23456)],
                [SimpleNamespace(name="fe1.contoso.example", address=away,
                                 port=5061)])
    g.config["admin"] = {"socket": run.path("gw1", "admin.sock")}
    g.config["log"] = {"level": "warn"}
    return g.start()


class Reader(Api):
    """Measures the gateway, not the check of its answers."""

    def check(self, method, target, answer):
        assert answer.status in (200, 201), answer.text[:500]


def fill(api, kind, keys, member):
    changes = [{"kind": kind, "key": k, "method": "PUT", "object": member(k)}
               for k in keys]
    begun = time.monotonic()
    api.post("/v1/batch", json.dumps({"changes": changes}).encode())
    return time.monotonic() - begun


def lines(api, path):
    begun = time.monotonic()
    c = api.connect()
    c.request("GET", path, None, {"Accept": "application/x-ndjson"})
    count = c.getresponse().read().count(b"\n")
    c.close()
    return count, time.monotonic() - begun


def pages(api, path):
    begun = time.monotonic()
    count, after, longest = 0, "", 0.0
    while after is not None:
        one = time.monotonic()
        page = api.get(f"{path}?limit={PAGE}&after={after}").json
        longest = max(longest, time.monotonic() - one)
        count += len(page["items"])
        after = page.get("next")
    return count, time.monotonic() - begun, longest


def run():
    with Run("lists") as place:
        g = gateway(place)
        api = Reader(g.config["admin"]["socket"], timeout=120)
        api.put("/v1/policies/tag:Sales", {"EnableXmppAccess": True})
        whole = True
        for kind, plural, count, member in (
                ("partner", "partners", PARTNERS, lambda k: {"Domain": k}),
                ("grant", "grants", GRANTS,
                 lambda k: {"PolicyName": "tag:Sales"})):
            keys = [f"p{i}.example" if kind == "partner" else
                    f"u{i}@contoso.example" for i in range(count)]
            took = fill(api, kind, keys, member)
            print(f"{count} {plural}: {took:.2f} s to commit in one batch",
                  flush=True)
            found, took = lines(api, f"/v1/{plural}")
            print(f"  as lines {took:.2f} s", flush=True)
            whole = whole and found == count and took < 1
            found, took, longest = pages(api, f"/v1/{plural}")
            print(f"  by pages of {PAGE} {took:.2f} s, the longest "
                  f"{1000 * longest:.0f} ms", flush=True)
            whole = whole and found == count
        if not whole:
            print("bench: a list was not whole, or took more than a second",
                  file=sys.stderr)
        api.close()
        g.stop()
        return whole
