"""The gateway's HTTP interface for administrators, as it is described."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.admin_api import Events, key, operations
from lib.command import sallyport
from lib.daemons import binary
from lib.office import Office
from lib.run import Run, StartFailed

pytestmark = pytest.mark.once

SECRET = "0123456789abcdef0123"
PARTNER = {"Domain": "partner.example", "PartnerType": "Federated"}


@pytest.fixture(scope="module")
def office():
    with Run("admin") as run:
        office = Office(run)
        yield office
        if not office.gateway.process.alive():
            print(office.gateway.log.tail(60))
        assert office.gateway.stop() == 0
        assert not office.gateway.reports()


@pytest.fixture
def api(office):
    with office.api() as api:
        yield api
        gone = [{"kind": kind, "key": item["key"], "method": "DELETE"}
                for kind in ("partner", "grant")
                for item in api.get(f"/v1/{kind}s",
                                    Accept="application/x-ndjson").lines]
        if gone:
            assert api.post("/v1/batch", {"changes": gone}).status == 200
        api.delete("/v1/gateway-config")


# --- as it is described ------------------------------------------------------

# A body that a kind takes, and one that it refuses.
BODIES = {
    "partner": ("p.example", {"Domain": "p.example"}, {"Domain": "p.example",
                                                       "PartnerType": "x"}),
    "site": ("Rome", {"SipDomains": ["contoso.example"]},
             {"SipDomains": 7}),
    "policy": ("tag:Sales", {"EnableXmppAccess": True},
               {"EnableXmppAccess": 7}),
    "grant": ("anna@contoso.example", {"PolicyName": "tag:Sales"},
              {"PolicyName": "tag:Nobody"}),
    "provider": ("google-talk", {"Enabled": True}, {"Enabled": "x"}),
    "licence": ("anna@contoso.example PIC USL", {"From": "2026-01-01"},
                {"From": "yesterday"}),
    "gateway-config": (None, {"ConnectionLimit": 7}, {"ConnectionLimit": 0}),
    "access-edge": (None, {"AllowFederatedUsers": True},
                    {"AllowFederatedUsers": 1}),
}


ABSENT = {"partner": "nobody.example", "grant": "nobody@contoso.example",
          "licence": "nobody@contoso.example PIC USL", "policy": "tag:Nobody"}


def walk_kind(api, kind, path, single):
    name, good, bad = BODIES[kind]
    if kind == "provider":
        name = api.get(path).json["items"][0]["key"]
    one = path if single else f"{path}/{key(name)}"
    if not single:
        assert api.get(path).status == 200
        assert api.get(path, Accept="application/x-ndjson").status == 200
        assert api.get(f"{path}?limit=0").status == 400
        assert api.get(f"{path}/no%20such%20thing").status == 404
        assert api.delete(f"{path}/no%20such%20thing").status in (404, 422)
        absent = api.patch(f"{path}/{key(ABSENT.get(kind, 'nobody'))}", {})
        assert absent.status in (404, 422), absent.text
    answer = api.put(one, good)
    assert answer.status in (200, 201), answer.text
    assert api.get(one).tag == answer.tag
    assert api.get(one, If_None_Match=answer.tag).status == 304
    assert api.get(f"{one}?colour=red").status == 400
    assert api.put(one, bad).status == 422
    assert api.patch(one, bad).status == 422
    for method in ("PUT", "PATCH"):
        assert api.ask(method, one, good, If_Match='"99999"').status == 412
        assert api.ask(method, one, b"{").status == 400
        assert api.ask(method, one, b"{}",
                       Content_Type="text/plain").status == 415
        assert api.ask(method, one, b" " * (1 << 20) + b" ").status == 413
    assert api.patch(one, {}).status == 200
    assert api.put(f"{one}?dry_run=true", good).status == 200
    assert api.delete(one, If_Match='"99999"').status == 412
    assert api.delete(f"{one}?dry_run=maybe").status == 400
    return one


def may_fail(method, path):
    """Statuses that are described and not brought about here."""
    some = {429, 503}
    if method == "DELETE":
        some |= {404, 422}          # nobody depends on what these tests set
    if path.startswith("/v1/providers"):
        some |= {201, 404}          # built in: those there are, no others
    if path == "/v1/test-im":
        some |= {200}               # test_operation.py has a pool for it
    return some


def test_each_operation_answers_as_it_is_described(office, api):
    kinds = [(op["operationId"].split(".")[0], path)
             for (method, path), op in operations().items()
             if method == "PUT"]
    left = []
    for kind, path in kinds:
        single = not path.endswith("{key}")
        left.append(walk_kind(api, kind, path.removesuffix("/{key}"), single))
    for one in reversed(left):
        assert api.delete(one).status == 200, one
    walk_tokens(api)
    walk_views(api)
    batch = {"changes": [{"kind": "partner", "key": "b.example",
                          "method": "PUT", "object": {"Domain": "b.example"},
                          "version": 0}]}
    assert api.post("/v1/batch", batch).status == 200
    assert api.post("/v1/batch", batch).status == 409
    assert api.post("/v1/batch", {"changes": []}).status in (200, 422)
    assert api.post("/v1/batch", {}).status == 422
    assert api.post("/v1/batch", b"[]").status == 400
    assert api.ask("POST", "/v1/batch", b"{}",
                   Content_Type="text/plain").status == 415
    with office.api() as other:
        assert other.post("/v1/batch", b" " * (16 << 20) + b" ").status == 413
    walk_trial(api)
    assert api.post("/v1/test-im", {}).status == 422
    assert api.post("/v1/test-im", b"{").status == 400
    assert api.ask("POST", "/v1/test-im", b"{}",
                   Content_Type="text/plain").status == 415
    assert api.post("/v1/test-im", b" " * (1 << 20) + b" ").status == 413
    walk_without_rights(office)
    missing = []
    for (method, path), op in operations().items():
        for status in op["responses"]:
            if (method, path, int(status)) not in office.seen and \
                    int(status) not in may_fail(method, path):
                missing.append(f"{method} {path} {status}")
    assert not missing, missing


def walk_tokens(api):
    made = api.post("/v1/tokens", {"Name": "walk"})
    assert made.status == 201
    assert api.post("/v1/tokens?dry_run=true", {"Name": "x"}).status == 200
    assert api.get("/v1/tokens").status == 200
    assert api.get("/v1/tokens?limit=x").status == 400
    assert api.get("/v1/tokens", Accept="application/x-ndjson").lines
    one = f"/v1/tokens/{made.json['key']}"
    answer = api.get(one)
    assert made.json["token"] not in answer.text
    assert api.get(one, If_None_Match=answer.tag).status == 304
    for method, target in (("POST", "/v1/tokens"), ("PATCH", one)):
        assert api.ask(method, target, {"Hash": "x"}).status == 422
        assert api.ask(method, target, b"x").status == 400
        assert api.ask(method, target, b"{}",
                       Content_Type="text/plain").status == 415
        assert api.ask(method, target, b" " * 70000).status == 413
    assert api.patch(one, {"Name": "other"}).status == 200
    assert api.patch(one, {"Name": "z"}, If_Match='"1"').status == 412
    assert api.patch("/v1/tokens/000000000000", {}).status in (404, 422)
    assert api.get(f"{one}?x=y").status == 400
    assert api.get("/v1/tokens/000000000000").status == 404
    assert api.delete(one, If_Match='"1"').status == 412
    assert api.delete(f"{one}?dry_run=maybe").status == 400
    assert api.delete(one).status == 200
    assert api.delete(one).status == 404


def walk_trial(api):
    """No partner is left: policy refuses before anybody is asked."""
    who = {"Sender": "anna@contoso.example", "Receiver": "bo@away.example"}
    assert api.post("/v1/test-im", who).json["Result"] == "Failure"
    assert api.post("/v1/test-im", {}).status == 422
    assert api.post("/v1/test-im?x=y", who).status == 400
    assert api.ask("POST", "/v1/test-im", b"{}",
                   Content_Type="text/plain").status == 415
    assert api.post("/v1/test-im", b" " * 70000).status == 413


def walk_views(api):
    for path in ("/v1/rights/anna@contoso.example", "/v1/status", "/v1/edges", "/v1/streams", "/v1/contacts",
                 "/v1/conversations", "/v1/audit", "/v1/audit/chain",
                 "/v1/openapi.json", "/metrics"):
        assert api.get(path).status == 200, path
        assert api.get(f"{path}?colour=red").status == 400, path
        assert api.ask("HEAD", path).status == 200
    assert api.get("/v1/audit", Accept="application/x-ndjson").lines
    assert api.get("/v1/edges").json["items"][0]["up"] is False
    assert api.get("/v1/events?x=y").status == 400
    assert api.get("/v1/trace?partner=p.example&x=y").status == 400
    assert api.get("/v1/trace").status == 422
    assert api.get("/v1/rights/anna@contoso.example").status == 200
    assert api.get("/v1/rights/anna@contoso.example?x=y").status == 400


def walk_without_rights(office):
    """Without a token nothing, with one for reading nothing but that."""
    reader = office.token(Name="reader")
    with office.tcp() as nobody, office.tcp(reader) as some:
        for (method, path), op in operations().items():
            target = path.replace("{key}", "x")
            body = {} if "requestBody" in op else None
            assert nobody.ask(method, target, body).status == 401, path
            if op["x-right"] == "write":
                assert some.ask(method, target, body).status == 403, path
            else:
                # Of another name than this machine's.
                assert some.ask(method, target, body,
                                Host="evil.example").status == 403
    with Events(office.tcp(reader)) as events:
        assert events.next()[0] == "ready"
    office.seen.add(("GET", "/v1/events", 200))
    with Events(office.tcp(reader),
                target="/v1/trace?partner=partner.example") as trace:
        assert trace.next()[0] == "ready"
    office.seen.add(("GET", "/v1/trace", 200))


# --- two admins --------------------------------------------------------------

def test_two_admins_never_overwrite_each_other(office, api):
    tag = api.put("/v1/partners/partner.example", PARTNER).tag

    def write(i):
        with office.api() as mine:
            return mine.patch("/v1/partners/partner.example",
                              {"Description": f"by {i}"},
                              If_Match=tag).status

    with ThreadPoolExecutor(12) as pool:
        answers = sorted(pool.map(write, range(12)))
    assert answers == [200] + [412] * 11
    row = api.get("/v1/audit?order=newest&limit=1").json["items"][0]
    assert row["after"]["Description"] == api.get(
        "/v1/partners/partner.example").json["object"]["Description"]


def test_what_if_does_nothing(api):
    before = [api.get(p).text for p in ("/v1/partners", "/v1/gateway-config",
                                        "/v1/tokens", "/v1/audit")]
    for method, path, body in (
            ("PUT", "/v1/partners/partner.example", PARTNER),
            ("PATCH", "/v1/gateway-config", {"ConnectionLimit": 3}),
            ("DELETE", "/v1/gateway-config", None),
            ("POST", "/v1/tokens", {"Name": "x"}),
            ("POST", "/v1/batch", {"changes": [
                {"kind": "partner", "key": "partner.example",
                 "method": "PUT", "object": PARTNER}]})):
        answer = api.ask(method, f"{path}?dry_run=true", body)
        assert answer.status == 200, answer.text
        assert answer.json["dry_run"] is True
    assert before == [
        api.get(p).text for p in ("/v1/partners", "/v1/gateway-config",
                                  "/v1/tokens", "/v1/audit")]


def test_the_trail_says_who_when_and_what_but_no_secret(office, api):
    api.patch("/v1/gateway-config", {"DialbackPassphrase": SECRET})
    writer = office.token(Name="night shift", Rights="write")
    with office.tcp(writer) as other:
        assert other.put("/v1/partners/partner.example",
                         PARTNER).status == 201
    text = api.get("/v1/audit", Accept="application/x-ndjson").text
    rows = [json.loads(l) for l in text.splitlines()]
    assert SECRET not in text and writer not in text
    assert [r["number"] for r in rows] == list(range(1, len(rows) + 1))
    assert rows[-1]["who"].startswith("night shift (token ")
    assert rows[-1]["via"] == "http" and rows[-1]["before"] is None
    assert rows[-1]["after"]["Domain"] == "partner.example"
    assert abs(time.time() - time.mktime(time.strptime(
        rows[-1]["at"][:19], "%Y-%m-%dT%H:%M:%S")) + time.timezone) < 60
    for text in (api.get("/v1/gateway-config").text, office.gateway.log.text()):
        assert SECRET not in text and writer not in text
    assert "DialbackPassphrase" in api.get("/v1/gateway-config").json["set"]


def test_a_token_ends(office, api):
    token = office.token(Name="short", Expires="2020-01-01")
    with office.tcp(token) as mine:
        assert mine.get("/v1/status").status == 401
        name = f"/v1/tokens/{token.split('-')[1]}"
        api.patch(name, {"Expires": ""})
        assert mine.get("/v1/status").status == 200
        with Events(mine) as events:
            assert events.next()[0] == "ready"
            api.delete(name)
            assert events.await_event("cut")
        assert mine.get("/v1/status").status == 401
    assert office.gateway.log.wait(r"token-refused .*reason=expired")
    assert token.split("-")[2] not in office.gateway.log.text()


def test_events_tell_what_another_one_does(office, api):
    with Events(api) as events:
        assert events.next()[0] == "ready"
        api.put("/v1/partners/partner.example", PARTNER)
        data, number = events.await_event("setting", kind="partner")
        assert data["key"] == "partner.example" and not data["removed"]
    api.delete("/v1/partners/partner.example")
    with Events(api, last=number) as events:
        data, _ = events.await_event("setting", kind="partner")
        assert data["removed"]


def test_settings_and_trail_outlive_the_gateway(office, api):
    api.put("/v1/partners/partner.example", PARTNER)
    trail = api.get("/v1/audit?order=newest").text
    api.close()
    assert office.gateway.stop() == 0
    office.start()
    assert api.get("/v1/partners/partner.example").json["object"][
        "PartnerType"] == "Federated"
    assert api.get("/v1/audit?order=newest").text == trail
    assert api.get("/v1/audit/chain").json["whole"] is True


def test_the_command_speaks_it(office):
    argv = ("--socket", office.socket)
    sallyport("partner", "new", "fabrikam.example", "--PartnerType",
              "Federated", *argv)
    assert "fabrikam.example" in sallyport("partner", "get", *argv)
    assert "fabrikam.example" in sallyport("audit", *argv)
    sallyport("audit", "--verify", *argv)
    token = sallyport("token", "new", "--Name", "cli", "--Rights", "write",
                      *argv).strip()
    path = office.run.write("cli.token", token + "\n")
    sallyport("partner", "remove", "fabrikam.example", "--url",
              f"http://{office.address}", "--token-file", path)


@pytest.mark.parametrize("admin, error", [
    ({"listen": ["0.0.0.0:8480"]}, "/admin/listen: only addresses of "
     "loopback are possible: others come through a reverse proxy"),
    ({"listen": ["192.0.2.1:8480"]}, "/admin/listen: only addresses"),
    ({"listen": ["[::]:8480"]}, "/admin/listen: only addresses"),
    ({"listen": ["127.0.0.1"]}, "/admin/listen/0: "),
    ({"socket": "x" * 200}, "/admin/socket: longer than"),
    ({"port": 8480}, "/admin"),
])
def test_nothing_but_loopback_is_configured(office, admin, error):
    config = dict(office.gateway.config, admin=admin)
    path = office.run.write("gw1/wrong.json", json.dumps(config))
    with pytest.raises(StartFailed, match=re.escape(error)):
        office.run.command(
            [binary("sallyport-gateway"), "--config", path, "--check"])


# --- size --------------------------------------------------------------------

def listed(api, path):
    """Items of all pages, as lines, and the seconds it took."""
    begun = time.monotonic()
    items = api.connect()
    items.request("GET", path, None, {"Accept": "application/x-ndjson"})
    count = items.getresponse().read().count(b"\n")
    items.close()
    return count, time.monotonic() - begun


def test_long_lists_are_no_burden(office):
    """`make bench` has 50 000 grants; this is to see that nothing grows with
    the square."""
    partners = [{"kind": "partner", "key": f"p{i}.example", "method": "PUT",
                 "object": {"Domain": f"p{i}.example"}} for i in range(1000)]
    grants = [{"kind": "grant", "key": f"u{i}@contoso.example",
               "method": "PUT", "object": {"PolicyName": "tag:Sales"}}
              for i in range(4000)]
    with office.api() as api:
        api.put("/v1/policies/tag:Sales", {"EnableXmppAccess": True})
        for changes in (partners, grants):
            answer = api.post("/v1/batch", {"changes": changes}).json
            assert answer["count"] == answer["changed"] == len(changes)
            assert len(answer["changes"]) == 250
        for path, count in (("/v1/partners", 1000), ("/v1/grants", 4000),
                            ("/v1/grants?filter=*99@*", 40)):
            found, took = listed(api, path)
            assert found == count and took < 5, (path, found, took)
        page = api.get(
            "/v1/grants?limit=1000&after=u3000@contoso.example").json
        assert len(page["items"]) == 1000
