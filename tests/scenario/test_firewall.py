"""The rules of `sallyport firewall plan`, in force between three networks.

Namespaces stand for internet, perimeter and internal network, a router with
the generated rules stands between them.  What the port table lists is written
down here once more, by hand: that is what passes, and nothing else does.
"""

import json
import os
import subprocess

import pytest

from lib.authority import TREE
from lib.daemons import binary
from lib.netns import (INTERNAL, INTERNET, PERIMETER, ROUTER, TOOLS, NetRun,
                       tool)
from lib.run import root
from lib.site import Site

SITES = os.path.join(TREE, "deploy", "examples", "sites")
TOPOLOGIES = ["single-nat", "single-public", "scaled-dns-nat",
              "scaled-dns-public", "scaled-hlb"]

ANNA = "anna@contoso.example"
BO = "bo@partner.example"

PUBLIC = "198.51.100.10"
OUTER, INNER = "172.16.1.10", "172.16.2.10"
GATEWAY, FRONT_END, DESK = "10.1.0.5", "10.1.0.10", "10.1.0.77"
PARTNER, RESOLVER, STRANGER = "203.0.113.20", "203.0.113.53", "203.0.113.99"

PORTS = [22, 53, 80, 443, 5060, 5061, 5222, 5269, 8057, 23456, 50000]

SPACE = {OUTER: PERIMETER, INNER: PERIMETER,
         GATEWAY: INTERNAL, FRONT_END: INTERNAL, DESK: INTERNAL,
         PARTNER: INTERNET, RESOLVER: INTERNET, STRANGER: INTERNET}


def listed(source, target, port):
    """The table, as far as it crosses a firewall of this site."""
    outside = SPACE.get(source) == INTERNET
    if outside:
        # The edge's own address is not routed outside, but rules that look
        # behind the translation cannot tell who used which.
        return target in (PUBLIC, OUTER) and port == 5269
    if (source, target, port) == (OUTER, PUBLIC, 5269):
        return True         # itself, by its address outside
    if source == OUTER and SPACE.get(target) == INTERNET:
        return port == 5269 or (port == 53 and target == RESOLVER)
    return source == GATEWAY and target == INNER and port == 23456


def sallyport(*args):
    return subprocess.run([binary("sallyport"), *args], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60)


def plan(site, *more):
    done = sallyport("firewall", "plan", "--site", site, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def networks():
    if not root():
        pytest.skip("network namespaces need root")
    for name in TOOLS:
        tool(name)
    run = NetRun("firewall")
    try:
        yield run
    finally:
        problems = run.close()
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="module")
def description(networks):
    """The sample of one edge behind NAT, with the name server of ours."""
    with open(os.path.join(SITES, "single-nat.json"), encoding="utf-8") as f:
        site = json.load(f)
    site["resolvers"] = [RESOLVER]
    site["front_ends"] = site["front_ends"][:1]
    return networks.write("site.json", json.dumps(site))


@pytest.fixture
def enforced(networks, description):
    networks.networks.load(plan(description, "--format", "nftables", "--nat"))
    yield
    networks.networks.unload()


@pytest.fixture
def listeners(networks):
    procs = [networks.listen(space, PORTS)
             for space in (INTERNET, PERIMETER, INTERNAL)]
    yield
    for proc in procs:
        proc.stop()


def crossings(targets=tuple(SPACE)):
    """Every flow between hosts of different networks, on every port."""
    return [(source, target, port) for source in SPACE for target in targets
            for port in PORTS if SPACE[source] != SPACE.get(target)]


def outcomes(run, flows):
    found = {}
    for space in (INTERNET, PERIMETER, INTERNAL):
        mine = [f for f in flows if SPACE[f[0]] == space]
        found.update(zip(mine, run.networks.connect(space, mine)))
    return found


# --- the checkers of the formats that have one ----------------------------


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_the_programs_that_load_rules_accept_them(networks, topology):
    site = os.path.join(SITES, topology + ".json")
    nat = ["--nat"] if topology.endswith("-nat") else []
    spaces = networks.networks
    spaces.run(ROUTER, [tool("nft"), "-c", "-f", "-"],
               input=plan(site, "--format", "nftables", *nat))
    spaces.run(ROUTER, [tool("iptables-restore"), "--noflush", "--test"],
               input=plan(site, "--format", "iptables", *nat))
    spaces.run(ROUTER, [tool("ip6tables-restore"), "--noflush", "--test"],
               input=plan(site, "--format", "ip6tables"))
    subprocess.run(["sh", "-n"], input=plan(site, "--format", "firewalld"),
                   text=True, check=True)


def test_rules_loaded_twice_are_there_once(networks, description):
    rules = plan(description, "--format", "nftables")
    spaces = networks.networks
    try:
        spaces.load(rules)
        once = spaces.run(ROUTER, [tool("nft"), "-s", "list", "ruleset"])
        spaces.load(rules)
        assert spaces.run(ROUTER,
                          [tool("nft"), "-s", "list", "ruleset"]) == once
    finally:
        spaces.unload()


# --- packets ----------------------------------------------------------------


def test_without_rules_everything_passes(networks, listeners):
    """So that what is blocked below is blocked by the rules."""
    found = outcomes(networks, crossings())
    assert {f: o for f, o in found.items() if o != "open"} == {}


def test_what_the_table_does_not_list_is_blocked(networks, enforced,
                                                 listeners):
    found = outcomes(networks, crossings((*SPACE, PUBLIC)))
    wrong = {f: o for f, o in found.items()
             if o != ("open" if listed(*f) else "filtered")}
    assert wrong == {}
    assert len([f for f in found if listed(*f)]) >= 10
    assert len([f for f in found if not listed(*f)]) >= 400


def test_the_iptables_rules_do_the_same(networks, description, listeners):
    spaces = networks.networks
    rules = plan(description, "--format", "iptables", "--nat")
    try:
        spaces.run(ROUTER, [tool("iptables-restore"), "--noflush"],
                   input=rules)
        found = outcomes(networks, crossings((*SPACE, PUBLIC)))
    finally:
        spaces.unload()
    assert {f: o for f, o in found.items()
            if o != ("open" if listed(*f) else "filtered")} == {}


# --- verification -------------------------------------------------------------


def verify(run, space, description, *more):
    done = subprocess.run(
        [tool("nsenter"), f"--net={run.networks.path(space)}", "--",
         binary("sallyport"), "firewall", "verify", "--site", description,
         "--timeout", "700", "--json", *more],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    return done.returncode, json.loads(done.stdout or "null"), done.stderr


HOSTS = [(INTERNAL, "gw1.contoso.example"), (PERIMETER, "edge1.contoso.example"),
         (INTERNAL, "fe1.contoso.example"), (INTERNET, "internet")]


@pytest.mark.parametrize("space, host", HOSTS)
def test_verify_is_content_where_the_rules_are_in_force(
        networks, description, enforced, listeners, space, host):
    status, answer, error = verify(networks, space, description,
                                   "--from", host)
    assert status == 0, (error, [p for p in answer["paths"]
                                 if not p["as_planned"]])
    assert any(p["outcome"] == "filtered" for p in answer["paths"])
    assert any(p["outcome"] == "open" and p["allowed"]
               for p in answer["paths"])


@pytest.mark.parametrize("space, host", HOSTS[:3])
def test_verify_finds_a_firewall_that_is_not_there(networks, description,
                                                   listeners, space, host):
    status, answer, _ = verify(networks, space, description, "--from", host)
    assert status == 1
    wrong = [p for p in answer["paths"] if not p["as_planned"]]
    assert len(wrong) == answer["wrong"] > 3
    assert {p["outcome"] for p in wrong} == {"open"}
    inside = [p for p in wrong if p["address"] == GATEWAY]
    if host.startswith("edge1"):
        assert {p["port"] for p in inside} >= {22, 443, 5061, 23456}
        assert {p["rule"] for p in inside} == {"sp-nothing-inside"}


def test_verify_tells_closed_from_filtered(networks, description, enforced):
    """Nobody listens now: what is allowed is answered by a reset."""
    status, answer, _ = verify(networks, INTERNAL, description, "--from",
                               "gw1.contoso.example")
    assert status == 0
    channel = [p for p in answer["paths"] if p["rule"] == "sp-channel"]
    assert [p["outcome"] for p in channel] == ["closed"]


def test_verify_finds_out_which_host_it_runs_on(networks, description,
                                                enforced, listeners):
    status, answer, error = verify(networks, PERIMETER, description)
    assert status == 0, error
    assert {p["from"].split()[0] for p in answer["paths"]} == {
        "edge1.contoso.example"}
    # The one internal namespace is two hosts of the site.
    status, _, error = verify(networks, INTERNAL, description)
    assert status == 1 and "say --from" in error


# --- the product ----------------------------------------------------------------


class TranslatedSite(Site):
    public_address = PUBLIC


@pytest.fixture
def federation(networks, enforced):
    """Both daemons, a pool and a partner's real server, each in the network
    where it belongs, on the ports that the documents name."""
    site = TranslatedSite("firewall", wide=False, run=networks)
    site.dns.clients = "0.0.0.0/0"
    site.start()
    yield site
    assert not site.reports()


def test_a_message_passes_each_way_through_the_firewalls(networks, federation):
    networks.enter(INTERNET)
    bo = federation.xmpp_user(BO)
    networks.enter(INTERNAL)
    anna = federation.lync_user("anna")
    bo.send(ANNA, "Through both firewalls.")
    assert anna.message(body="Through both firewalls.").sender == BO
    assert anna.send(BO, "And back.").status == 200
    bo.message(body="And back.")
    status, answer, _ = verify(networks, INTERNAL, networks.path("site.json"),
                               "--from", "gw1.contoso.example")
    assert status == 0
    assert [p["outcome"] for p in answer["paths"]
            if p["rule"] == "sp-channel"] == ["open"]
