"""What an operator tries and measures: a test message in each way that it can
end, and the metrics as a real Prometheus scrapes them."""

import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from lib.admin_api import Api
from lib.authority import TREE
from lib.command import sallyport
from lib.daemons import partner
from lib.run import endpoint
from lib.site import Site
from lib.xmpp_user import XmppUser

pytestmark = pytest.mark.once

ANNA = "anna@contoso.example"
BO = "bo@partner.example"


@pytest.fixture(scope="module")
def site():
    from conftest import Started
    site = Site("operation")
    run, gateway = site.run, site.gateway
    # A partner whose server takes connections and says nothing.
    mute = socket.create_server(
        (run.address(77), run.port(run.address(77), 25269)))
    site.dns.zone("mute.example")
    site.dns.srv("mute.example", "xmpp.mute.example", mute.getsockname()[1])
    site.dns.a("xmpp.mute.example", run.address(77))
    gateway.config["partners"].append(partner("mute.example"))
    gateway.config["timers"] = {"outward_ms": 5000}
    site.admin = endpoint(gateway.address, run.port(gateway.address, 28480))
    gateway.config["admin"] = {"socket": run.path("gw1", "admin.sock"),
                               "listen": [site.admin]}
    with Started(site) as site:
        site.edge.await_open()
        yield site
    mute.close()


@pytest.fixture(scope="module")
def api(site):
    return Api(site.gateway.config["admin"]["socket"])


@pytest.fixture(scope="module")
def bo(site):
    user = XmppUser(site.run, BO, site.prosody.address, site.prosody.c2s,
                    site.public.certificate).login()
    yield user
    user.logout()


def test_a_message_is_tried_and_arrives(api, bo):
    said = api.ask("POST", "/v1/test-im", {
        "Sender": ANNA, "Receiver": BO, "Text": "Is anybody there?"}).json
    assert said["Result"] == "Success" and said["Proof"] == "ping"
    assert said["Edge"] == "edge1.contoso.example"
    assert said["Latency"].startswith("00:00:0")
    assert 0 <= said["LatencyMs"] < 10000
    arrived = bo.message(body="Is anybody there?")
    assert arrived.sender.split("/")[0] == ANNA


FAILURES = {
    "not permitted": ("olaf@contoso.example", BO, 403, "not permitted",
                      "policy effective"),
    "somebody else's user": ("anna@elsewhere.example", BO, 403,
                             "not in a domain", '"hosted"'),
    "not listed": (ANNA, "eve@stranger.example", 404,
                   "allowed XMPP partners", "sallyport partner new"),
    "unknown there": (ANNA, "nobody@partner.example", 480,
                      "cannot take the message", "receiver exists"),
    "no such name": (ANNA, "bo@absent.example", 404,
                     "absent.example: no such name", "dns check"),
    "closed": (ANNA, "bo@closed.example", 504, "connection refused",
               "dns check"),
    "wrong certificate": (ANNA, "mallory@impostor.example", 504,
                          "it names somebody-else.example", "--connect"),
    "mute": (ANNA, "bo@mute.example", 504, "did not confirm the message",
             "ask its administrator"),
}


@pytest.mark.parametrize("how", FAILURES)
def test_what_fails_is_explained_as_her_client_would_be_told(site, api, how):
    """And what to do about it.  Before any edge is asked policy decides."""
    sender, receiver, status, words, advice = FAILURES[how]
    mark = site.gateway.log.mark()
    said = api.ask("POST", "/v1/test-im",
                   {"Sender": sender, "Receiver": receiver}).json
    assert said["Result"] == "Failure"
    assert said["Error"]["status"] == status
    assert words in said["Diagnosis"] and advice in said["Advice"], said
    asked = how not in ("not permitted", "somebody else's user", "not listed")
    assert bool(said["Edge"]) == asked
    number = said["Error"]["diagnostics"]
    site.gateway.log.wait(
        rf"warn gateway test-im-failed sender={sender} receiver={receiver} "
        rf".*diagnostics={number} reason=.* event_id=3022", mark=mark)


@pytest.mark.parametrize("body", [
    {"Sender": ANNA, "Receiver": BO, "TargetFqdn": "gw2.contoso.example"},
    {"Sender": ANNA, "Receiver": BO, "TargetFqdn": None},
    {}, {"Sender": ANNA}, {"Sender": "contoso.example", "Receiver": BO},
    {"Sender": ANNA, "Receiver": BO, "Text": 7},
    {"Sender": ANNA, "Receiver": BO, "Text": "x" * 1001}])
def test_half_a_test_is_refused(api, body):
    assert api.ask("POST", "/v1/test-im", body).status == 422


def test_the_command_prints_it_as_the_cmdlet_did(site, bo):
    config = site.gateway.write()
    options = ("--config", config, "--UserSipAddress", f"sip:{ANNA}",
               "--TargetFqdn", "GW1.contoso.example")
    done = sallyport("test-im", *options, "--Receiver", f"sip:{BO}")
    names = [line.split(" :")[0].strip() for line in done.splitlines()]
    assert names == ["Target Fqdn", "Sender", "Receiver", "Result", "Latency",
                     "Edge", "Proof"]
    assert "Target Fqdn   : gw1.contoso.example" in done
    assert "Result        : Success" in done
    assert "Latency       : 00:00:0" in done
    failed = sallyport("test-im", *options, "--Receiver",
                       "eve@stranger.example", status=1)
    assert "Result        : Failure" in failed
    assert "ms-diagnostics 61020" in failed
    assert "Advice        : Look for the receiver's domain" in failed
    script = json.loads(sallyport(
        "test-im", "--config", config, "--Sender", ANNA, "--Receiver",
        "eve@stranger.example", "--json", status=1))
    assert (script["Result"], script["TargetFqdn"], script["Receiver"]) == (
        "Failure", "gw1.contoso.example", "eve@stranger.example")
    sallyport("test-im", "--Sender", ANNA, status=2)
    sallyport("test-im", "--socket", "/nowhere", "--Sender", ANNA,
              "--Receiver", BO, status=3)
    sallyport("test-im", *options[:2], "--TargetFqdn", "gw2.contoso.example",
              "--Sender", ANNA, "--Receiver", BO, status=1)


def test_the_last_one_stands_in_the_metrics(api, bo):
    name = "sallyport_test_im_"

    def tried(receiver):
        api.ask("POST", "/v1/test-im", {"Sender": ANNA, "Receiver": receiver})
        text = api.ask("GET", "/metrics").text
        assert abs(number(text, f"{name}last_timestamp_seconds") -
                   time.time()) < 10
        return [number(text, sample) for sample in (
            f"{name}last_success",
            f'{name}seconds_count{{outcome="delivered"}}',
            f'{name}seconds_count{{outcome="failed"}}')]

    first = tried(BO)
    assert first[0] == 1
    assert tried("eve@stranger.example") == [0, first[1], first[2] + 1]
    assert tried(BO) == [1, first[1] + 1, first[2] + 1]


# --- metrics ---------------------------------------------------------------------

def number(text, sample):
    """The value of one sample."""
    [line] = [l for l in text.splitlines() if l.startswith(sample + " ")]
    return float(line.rsplit(" ", 1)[1])


def test_the_metrics_are_what_prometheus_reads(site, api, bo):
    api.ask("POST", "/v1/test-im", {"Sender": ANNA, "Receiver": BO})
    end = time.monotonic() + 15         # the edge tells every 10 s
    while "sallyport_edge_listening" not in (
            text := api.ask("GET", "/metrics").text) or \
            'sallyport_edge_listening{' not in text:
        assert time.monotonic() < end, text
        time.sleep(0.5)
    checked = subprocess.run(["promtool", "check", "metrics"], input=text,
                             capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    edge = 'edge="edge1.contoso.example"'
    assert number(text, f"sallyport_edge_up{{{edge}}}") == 1
    assert number(text, f"sallyport_edge_listening{{{edge}}}") == 1
    assert number(text, "sallyport_pool_reachable") == 1
    assert number(text, f"sallyport_custody_seconds_count{{{edge},"
                        'direction="outward",outcome="delivered"}') >= 1


def test_the_counters_of_windows_have_their_names_here(api):
    """Each expression of the guide is of a metric that is there, with those
    labels."""
    with open(os.path.join(TREE, "deploy", "GUIDE-administration.md"),
              encoding="utf-8") as f:
        named = re.findall(r"`rate\((\w+)(?:{(.*?)})?\[5m\]\)`", f.read())
    assert len(named) == 3
    text = api.ask("GET", "/metrics").text
    for name, labels in named:
        assert re.search(rf"^{name}({{.*{labels}.*}})? \d", text, re.M), name


def test_each_metric_is_described_in_the_manual(api):
    page = os.path.join(TREE, "frontend-gateway", "sallyport-gateway.8")
    with open(page, encoding="utf-8") as f:
        manual = " ".join(f.read().split())
    helps = re.findall(r"^# HELP (\S+) (.*)$", api.ask(
        "GET", "/metrics").text, re.M)
    assert len(helps) > 40
    missing = [name for name, said in helps
               if not re.search(rf"\.It Li {name} Pq \w+ {re.escape(said)}",
                                manual)]
    assert not missing


def query(address, expression):
    url = f"http://{address}/api/v1/query?" + urllib.parse.urlencode(
        {"query": expression})
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]["result"]
    except urllib.error.HTTPError:      # it is not ready yet
        return []


def test_a_real_prometheus_scrapes_them(site, api, bo):
    run = site.run
    token = api.ask("POST", "/v1/tokens",
                    {"Name": "prometheus", "Rights": "read"}).json["token"]
    folder = run.folder("prometheus")
    secret = run.write("prometheus/token", token)
    config = run.write("prometheus/prometheus.yml", json.dumps({
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{
            "job_name": "sallyport",
            "authorization": {"credentials_file": secret},
            "static_configs": [{"targets": [site.admin]}]}]}))
    address = endpoint(site.gateway.address,
                       run.port(site.gateway.address, 29090))
    server = run.process("prometheus", [
        "prometheus", f"--config.file={config}",
        f"--storage.tsdb.path={os.path.join(folder, 'data')}",
        f"--web.listen-address={address}"])
    server.start()
    try:
        server.await_port(*address.rsplit(":", 1)[:1],
                          int(address.rsplit(":", 1)[1]))
        end = time.monotonic() + 20
        while not (found := query(address, "sallyport_running")):
            assert time.monotonic() < end, "nothing was scraped"
            time.sleep(0.3)
        assert found[0]["value"][1] == "1"
        # What a scrape alone may read, the token may not change.
        assert Api(address=site.admin, token=token).ask(
            "POST", "/v1/test-im",
            {"Sender": ANNA, "Receiver": BO}).status == 403
    finally:
        server.stop()
