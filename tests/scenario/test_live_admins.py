"""Several administrators at once, what their tokens permit while they use
them, and a trail of all they do that nobody can edit unnoticed."""

import json
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from lib.admin_api import Api, Events
from lib.settings_site import SettingsSite

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def site():
    with SettingsSite("admins") as site:
        site.said("policy", "new", "Staff")
        yield site


def trail(site, *argv):
    return json.loads(site.said("audit", "--all", *argv, "--json"))["items"]


# --- two admins ---------------------------------------------------------------

def at_once(site, commands):
    """(exit status, what was said) of commands started together."""
    def run(argv):
        done = site.run_command(*argv)
        return done.returncode, done.stderr

    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(run, commands))


def test_of_those_who_change_what_they_have_seen_one_wins(site):
    seen = str(site.json("policy", "get", "Staff")["version"])
    rows = len(trail(site))
    told = at_once(site, [
        ("policy", "set", "Staff", "--Description", f"by {i}", "--Version",
         seen) for i in range(6)])
    assert sorted(status for status, _ in told) == [0, 5, 5, 5, 5, 5]
    for status, words in told:
        assert status == 0 or ("changed meanwhile" in words
                               and "nothing was done" in words), words
    winner, = (i for i, (status, _) in enumerate(told) if status == 0)
    now = site.json("policy", "get", "Staff")
    assert now["object"]["Description"] == f"by {winner}"
    one, = trail(site)[rows:]
    assert one["after"]["Description"] == f"by {winner}"
    # So it is with a removal, and with what is given to a user.
    told = at_once(site, [("policy", "remove", "Staff", "--Version", seen),
                          ("policy", "set", "Staff", "--EnableXmppAccess",
                           "true", "--Version", str(now["version"]))])
    assert [status for status, _ in told] == [5, 0]


def test_what_a_command_did_not_see_change_is_not_lost(site):
    """Without a version each looks first and writes then: whoever was
    overtaken in between is told, and what was done is in the trail."""
    rows = len(trail(site))
    told = at_once(site, [("policy", "set", "Staff", "--Description",
                           f"hasty {i}") for i in range(6)])
    done = {f"hasty {i}" for i, (status, _) in enumerate(told) if status == 0}
    assert done and all(status in (0, 5) for status, _ in told), told
    written = trail(site)[rows:]
    assert {r["after"]["Description"] for r in written} == done
    # Each saw what the one before it had written.
    for former, later in zip(written, written[1:]):
        assert later["before"] == former["after"]


def test_the_interface_says_412(site):
    with Api(site.socket) as api:
        tag = api.get("/v1/policies/tag:Staff").tag
        assert api.patch("/v1/policies/tag:Staff", {"Description": "one"},
                         If_Match=tag).status == 200
        for method, body in (("PUT", {}), ("PATCH", {}), ("DELETE", None)):
            answer = api.ask(method, "/v1/policies/tag:Staff", body,
                             If_Match=tag)
            assert answer.status == 412
            assert "changed meanwhile" in answer.json["error"]["text"]
        assert api.get("/v1/policies/tag:Staff").json["object"][
            "Description"] == "one"


# --- tokens -------------------------------------------------------------------

class Holder:
    """Somebody with a token, who uses the command from elsewhere."""

    def __init__(self, site, name, **members):
        self.site, self.path = site, site.run.path(f"{name}.token")
        site.said("token", "new", "--Name", name, "--out", self.path, *(
            word for k, v in members.items() for word in (f"--{k}", v)))
        with open(self.path, encoding="ascii") as f:
            self.text = f.read().strip()
        self.id = self.text.split("-")[1]

    def does(self, *argv, status=0):
        return self.site.told(*argv, "--url", f"http://{self.site.http}",
                              "--token-file", self.path, status=status,
                              plain=True)

    def becomes(self, member, value):
        self.site.said("token", "set", self.id, f"--{member}", value)


def test_what_a_token_permits_changes_while_it_is_used(site):
    holder = Holder(site, "night shift")
    change = ("policy", "set", "Staff", "--EnableOutsideAccess", "true")
    holder.does("policy", "list")
    assert "read" in holder.does(*change, status=4)
    holder.becomes("Rights", "write")
    holder.does(*change)
    holder.becomes("Name", "day shift")
    holder.does("policy", "set", "Staff", "--EnableOutsideAccess", "false")
    first, _, last = trail(site)[-3:]
    for row, name in ((first, "night shift"), (last, "day shift")):
        assert (row["who"], row["via"]) == (f"{name} (token {holder.id})",
                                            "http")
    holder.becomes("Rights", "read")
    holder.does(*change, status=4)
    holder.becomes("Expires", "2026-01-31")
    assert "not known" in holder.does("policy", "list", status=4)
    holder.becomes("Expires", "")
    holder.does("policy", "list")
    site.said("token", "remove", holder.id)
    holder.does("policy", "list", status=4)


def test_what_he_listens_to_ends_with_his_token(site):
    for member, value in (("Rights", "read"), ("Expires", "2026-01-31")):
        holder = Holder(site, f"listener {member}", Rights="write")
        with Events(Api(address=site.http, token=holder.text)) as events:
            assert events.next()[0] == "ready"
            holder.becomes(member, value)
            assert events.await_event("cut")


def test_of_a_token_its_hash_alone_is_kept(site):
    """In no file that the gateway writes, and in nothing that it says."""
    holder = Holder(site, "secretive", Rights="write")
    holder.does("policy", "set", "Staff", "--Description", "secretly")
    secret = holder.text.split("-")[2]
    said = [site.said(*argv) for argv in (
        ("token", "list", "--list"), ("token", "list", "--json"),
        ("token", "list", holder.id, "--json"), ("audit", "--all", "--json"))]
    assert secret not in "".join(said)
    folder = site.run.folder("gw1")
    read = []
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            with open(path, "rb") as f:
                read.append(name)
                assert secret.encode() not in f.read(), name
    assert any(name.endswith(".db") for name in read), read
    assert secret not in site.gateway.log.text()


# --- the trail ------------------------------------------------------------------

def test_no_interface_changes_the_trail(site):
    """Neither with a method nor as a kind of setting; nor does an import."""
    writer = Holder(site, "writer", Rights="write")
    before = trail(site)
    row = before[0]
    for api in (Api(site.socket), Api(address=site.http, token=writer.text)):
        with api:
            for path in ("/v1/audit", "/v1/audit/1", "/v1/audit/chain"):
                for method in ("PUT", "PATCH", "POST", "DELETE"):
                    body = None if method == "DELETE" else row
                    assert api.ask(method, path, body).status in (404, 405)
            for method in ("PUT", "PATCH", "DELETE"):
                change = {"kind": "audit", "key": "1", "method": method}
                if method != "DELETE":
                    change["object"] = row
                answer = api.post("/v1/batch", {"changes": [change]})
                assert answer.status == 422, answer.text
    path = site.run.write("trail.json", json.dumps(before))
    site.told("import", path, "--yes")
    assert trail(site) == before
    assert "none changed" in site.said("audit", "--verify")


def test_the_store_refuses_and_what_goes_round_it_is_noticed(site):
    """Somebody with the file in his hands, while the gateway is down."""
    number = trail(site)[-1]["number"]
    store = site.gateway.config["store"]

    def sql(*statements):
        with closing(sqlite3.connect(store)) as db, db:
            for one in statements:
                db.execute(one)

    site.gateway.stop()
    for statement in ("UPDATE audit SET who = 'nobody' WHERE number = 1",
                      "DELETE FROM audit WHERE number = 1", "DELETE FROM audit",
                      "INSERT OR REPLACE INTO audit SELECT 1, at_ms, 'nobody', "
                      "via, action, kind, key, before, after, chain FROM audit "
                      "WHERE number = 1",
                      "INSERT INTO audit SELECT number + 1000, at_ms, who, via,"
                      " action, kind, key, before, after, chain FROM audit "
                      "WHERE number = 1"):
        with pytest.raises(sqlite3.IntegrityError, match="audit: "):
            sql(statement)
    with open(store, "rb") as f:
        untouched = f.read()
    for statement, broken in (
            ("UPDATE audit SET who = 'nobody' WHERE number = 3", 3),
            ("UPDATE audit SET after = replace(after, 'Staff', 'Stuff') || ' '"
             " WHERE number = 2", 2),
            ("DELETE FROM audit WHERE number = 2", 2),
            ("UPDATE audit SET number = 100000 WHERE number = 4", 4),
            (f"DELETE FROM audit WHERE number > {number - 2}", number - 1)):
        sql("DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete",
            statement)
        site.gateway.start()
        said = site.said("audit", "--verify", status=1)
        assert said == f"row {broken} is not what was written, or missing\n"
        found = json.loads(site.said("audit", "--verify", "--json", status=1))
        assert (found["whole"], found["broken"]) == (False, broken)
        # It is not forgotten over what is done next.
        site.said("policy", "set", "Staff", "--Description", "as if nothing")
        site.said("audit", "--verify", status=1)
        site.gateway.stop()
        with open(store, "wb") as f:
            f.write(untouched)
    # A store of before the end of the trail was kept: it is whole as it is.
    sql("ALTER TABLE settings_meta DROP COLUMN trail_rows",
        "ALTER TABLE settings_meta DROP COLUMN trail_chain",
        "PRAGMA user_version = 4")
    site.gateway.start()
    assert site.said("audit", "--verify") == \
        f"{number} rows, none changed, none missing\n"
