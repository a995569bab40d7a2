"""The rules of `sallyport firewall plan`, in force between three networks.

Namespaces stand for internet, perimeter and internal network, a router with
the generated rules stands between them.  What the port table lists is written
down here once more, by hand: that is what passes, and nothing else does.
"""

import json
import os
import re
import socket
import subprocess

import pytest

from lib.authority import TREE
from lib.daemons import binary
from lib.netns import (CONNECT, INTERNAL, INTERNET, PERIMETER, ROUTER, SEND,
                       TOOLS, NetRun, NetRun6, tool)
from lib.run import root
from lib.site import Site
from lib.xmpp_user import XmppUser

pytestmark = pytest.mark.once

SITES = os.path.join(TREE, "deploy", "examples", "sites")
TOPOLOGIES = ["single-nat", "single-public", "scaled-dns-nat",
              "scaled-dns-public", "scaled-hlb"]

ANNA = "anna@contoso.example"
BO = "bo@partner.example"

PUBLIC = "198.51.100.10"
OUTER, INNER = "172.16.1.10", "172.16.2.10"
GATEWAY, FRONT_END, DESK = "10.1.0.5", "10.1.0.10", "10.1.0.77"
PARTNER, RESOLVER, STRANGER = "203.0.113.20", "203.0.113.53", "203.0.113.99"

# The same hosts by IPv6, where nothing is translated.
OUTER6, INNER6 = "2001:db8:a::10", "2001:db8:b::10"
GATEWAY6, FRONT_END6 = "2001:db8:c::5", "2001:db8:c::10"
DESK6 = "2001:db8:c::77"
PARTNER6, RESOLVER6 = "2001:db8:f::20", "2001:db8:f::53"
STRANGER6 = "2001:db8:f::99"

PORTS = [22, 53, 80, 123, 443, 3478, 5060, 5061, 5222, 5269, 8057, 23456,
         50000, 59999]
TCP, UDP = "tcp", "udp"
# Protocols without ports that could carry something inside: ICMP, GRE, ESP,
# SCTP.
OTHERS = {4: [1, 47, 50, 132], 6: [58, 47, 50, 132]}

SPACE = {OUTER: PERIMETER, INNER: PERIMETER,
         GATEWAY: INTERNAL, FRONT_END: INTERNAL, DESK: INTERNAL,
         PARTNER: INTERNET, RESOLVER: INTERNET, STRANGER: INTERNET}
SPACE6 = {OUTER6: PERIMETER, INNER6: PERIMETER,
          GATEWAY6: INTERNAL, FRONT_END6: INTERNAL, DESK6: INTERNAL,
          PARTNER6: INTERNET, RESOLVER6: INTERNET, STRANGER6: INTERNET}


def listed(source, target, transport, port):
    """The table, as far as it crosses a firewall of this site."""
    if transport == UDP:
        return (source, target, port) in ((OUTER, RESOLVER, 53),
                                          (OUTER6, RESOLVER6, 53))
    if (source, target, port) in ((GATEWAY, INNER, 23456),
                                  (GATEWAY6, INNER6, 23456)):
        return True
    space = {**SPACE, **SPACE6}
    if space.get(source) == INTERNET:
        # The edge's own address is not routed outside, but rules that look
        # behind the translation cannot tell who used which.
        return target in (PUBLIC, OUTER, OUTER6) and port == 5269
    if (source, target, port) == (OUTER, PUBLIC, 5269):
        return True         # itself, by its address outside
    if source in (OUTER, OUTER6) and space.get(target) == INTERNET:
        return port in (80, 5269) or (port == 53 and
                                target in (RESOLVER, RESOLVER6))
    return False


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


@pytest.fixture(scope="module")
def description6(networks):
    """The sample of one edge with public addresses, all of IPv6, and no
    partner pinned."""
    with open(os.path.join(SITES, "single-public.json"),
              encoding="utf-8") as f:
        site = json.load(f)
    del site["partners"]
    site["networks"]["internal"] = ["10.1.0.0/16", "2001:db8:c::/64"]
    site["edges"][0]["external"] = [OUTER6]
    site["edges"][0]["internal"] = [INNER6]
    site["gateways"][0]["addresses"] = [GATEWAY6]
    site["front_ends"] = [{"name": "fe1.contoso.example",
                           "addresses": [FRONT_END6]}]
    site["resolvers"] = [RESOLVER6]
    return networks.write("site6.json", json.dumps(site))


@pytest.fixture
def enforced(networks, description):
    networks.networks.load(plan(description, "--format", "nftables", "--nat"))
    yield
    networks.networks.unload()


@pytest.fixture
def enforced6(networks, description6):
    networks.networks.load(plan(description6, "--format", "nftables"))
    yield
    networks.networks.unload()


class Listeners:
    """Somebody at each port of each host."""

    def __init__(self, networks):
        self.procs = [networks.listen(space, PORTS)
                      for space in (INTERNET, PERIMETER, INTERNAL)]
        self.marks = [proc.log.mark() for proc in self.procs]

    def arrived(self):
        """Datagrams that got here: an answer that is dropped on its way back
        would hide them."""
        return {(*line.split()[1:3], UDP, int(line.split()[3]))
                for proc, mark in zip(self.procs, self.marks)
                for line in proc.log.text()[mark:].splitlines()
                if line.startswith("udp ")}

    def stop(self):
        for proc in self.procs:
            proc.stop()


@pytest.fixture
def listeners(networks):
    listeners = Listeners(networks)
    yield listeners
    listeners.stop()


def crossings(targets=(), space=None):
    """Every flow between hosts of different networks, on every port."""
    space = space or SPACE
    return [(source, target, transport, port)
            for source in space for target in (*space, *targets)
            for transport in (TCP, UDP) for port in PORTS
            if space[source] != space.get(target)]


def outcomes(run, flows):
    found = {}
    space = {**SPACE, **SPACE6}
    for at in (INTERNET, PERIMETER, INTERNAL):
        for transport, how in ((TCP, CONNECT), (UDP, SEND)):
            mine = [f for f in flows
                    if space[f[0]] == at and f[2] == transport]
            found.update(zip(mine, run.networks.connect(
                at, [(f[0], f[1], f[3]) for f in mine], how=how)))
    return found


def as_listed(found, listeners):
    wrong = {f: o for f, o in found.items()
             if o != ("open" if listed(*f) else "filtered")}
    # Where it went is seen behind the translation, so is whence it came.
    leaked = {f for f in listeners.arrived() if not listed(*f) and
              not (f[0] == PUBLIC and listed(OUTER, *f[1:]))}
    assert (wrong, leaked) == ({}, set())
    assert len([f for f in found if listed(*f)]) >= 9
    assert len([f for f in found if not listed(*f)]) >= 1000


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


@pytest.mark.parametrize("space", [SPACE, SPACE6], ids=["ipv4", "ipv6"])
def test_without_rules_everything_passes(networks, listeners, space):
    """So that what is blocked below is blocked by the rules."""
    found = outcomes(networks, crossings(space=space))
    assert {f: o for f, o in found.items() if o != "open"} == {}
    assert listeners.arrived() == {f for f in found if f[2] == UDP}


def test_what_the_table_does_not_list_is_blocked(networks, enforced,
                                                 listeners):
    as_listed(outcomes(networks, crossings([PUBLIC])), listeners)


def test_what_the_table_does_not_list_is_blocked_by_ipv6(
        networks, enforced6, listeners):
    as_listed(outcomes(networks, crossings(space=SPACE6)), listeners)


# make trial says SALLYPORT_SWEEP=all.
SWEPT = list(range(1, 65536)) if os.environ.get("SALLYPORT_SWEEP") == "all" \
    else sorted({*range(1, 1024), *range(1, 65536, 31), *PORTS})


def swept(networks, flows):
    """What of a packet to each port, and of each protocol, comes through, as
    [{protocol: ports}] of the internal and of the perimeter's links."""
    spaces = networks.networks
    links = [(INTERNAL, "lan"), (PERIMETER, "in"), (PERIMETER, "out")]
    sources = [source for source, _ in flows]
    ends = [spaces.watch(space, link, sources) for space, link in links]
    place = {**SPACE, **SPACE6}
    for source, target in flows:
        spaces.sweep(place[source], source, target, SWEPT,
                     OTHERS[6 if ":" in source else 4])
    return [end() for end in ends]


INWARD = {4: [(INNER, GATEWAY), (OUTER, FRONT_END)],
          6: [(INNER6, GATEWAY6), (OUTER6, FRONT_END6)]}


@pytest.mark.parametrize("family", [4, 6])
def test_without_rules_a_sweep_gets_inside(networks, family):
    inside, _, _ = swept(networks, INWARD[family])
    assert inside[6] == inside[17] == SWEPT
    assert set(inside) >= set(OTHERS[family])


def test_nothing_from_the_perimeter_gets_inside_on_any_port(networks,
                                                            enforced):
    inside, _, _ = swept(networks, INWARD[4])
    assert inside == {}


def test_nothing_from_the_perimeter_gets_inside_by_ipv6(networks, enforced6):
    inside, _, _ = swept(networks, INWARD[6])
    assert inside == {}


def test_only_5269_gets_in_from_the_internet(networks, enforced):
    """So 23456 does not, on either side of the edge."""
    inside, inner, outer = swept(networks, [
        (STRANGER, PUBLIC), (STRANGER, INNER), (STRANGER, GATEWAY)])
    assert (inside, inner) == ({}, {})
    assert outer == {6: [5269]}


def test_only_5269_gets_in_from_the_internet_by_ipv6(networks, enforced6):
    inside, inner, outer = swept(networks, [
        (STRANGER6, OUTER6), (STRANGER6, INNER6), (STRANGER6, GATEWAY6)])
    assert (inside, inner) == ({}, {})
    assert outer == {6: [5269]}


def test_the_iptables_rules_do_the_same(networks, description, description6,
                                        listeners):
    spaces = networks.networks
    four = plan(description, "--format", "iptables", "--nat")
    six = plan(description6, "--format", "ip6tables")
    try:
        spaces.run(ROUTER, [tool("iptables-restore"), "--noflush"],
                   input=four)
        spaces.run(ROUTER, [tool("ip6tables-restore"), "--noflush"],
                   input=six)
        found = outcomes(networks, crossings([PUBLIC]) +
                         crossings(space=SPACE6))
    finally:
        spaces.unload()
    as_listed(found, listeners)


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


@pytest.fixture(scope="module")
def federation(networks, description):
    """Both daemons, a pool and a partner's real server, each in the network
    where it belongs, on the ports that the documents name; the rules are in
    force."""
    networks.networks.load(plan(description, "--format", "nftables", "--nat"))
    site = TranslatedSite("firewall", wide=False, run=networks)
    site.dns.clients = "0.0.0.0/0"
    site.start()
    yield site
    networks.networks.unload()
    assert not site.reports()


def listening(networks, space):
    """{(address, port)} of IPv4 where somebody waits for TCP."""
    table = networks.networks.run(space, ["cat", "/proc/net/tcp"])
    found = set()
    for line in table.splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        if state == "0A":
            address, port = local.split(":")
            found.add((socket.inet_ntoa(bytes.fromhex(address)[::-1]),
                       int(port, 16)))
    return found


def counted(networks, comment):
    """Packets that the rule of this name met."""
    rules = networks.networks.run(ROUTER, [tool("nft"), "list", "ruleset"])
    return sum(int(n) for n in re.findall(
        rf'packets (\d+) bytes \d+ \S+ comment "{comment}"', rules))


def test_the_edge_listens_and_connects_where_it_was_told(networks,
                                                         federation):
    assert listening(networks, PERIMETER) == {(OUTER, 5269), (INNER, 23456)}
    networks.enter(INTERNAL)
    anna = federation.lync_user("anna")
    assert anna.send(BO, "From where?").status == 200
    anna.logout()
    # The partner sees the public address, which is that of `outgoing`.
    assert federation.prosody.log.lines(
        rf"New connection FD \d+ \({PUBLIC}")
    # And nobody in the perimeter so much as tried to get inside.
    assert counted(networks, "sp-channel") > 0
    assert counted(networks, "sp-nothing-inside") == 0
    assert counted(networks, "sp-refused") == 0


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


@pytest.fixture
def federation6(networks, description6):
    """The same in networks of its own that have IPv6 alone, but for the
    pool's."""
    run = NetRun6("firewall6")
    try:
        run.networks.load(plan(description6, "--format", "nftables"))
        site = Site("firewall6", wide=False, run=run)
        site.dns.clients = "::/0"
        # For clients; slixmpp wants the address itself in the certificate
        # when it is one of IPv6.
        site.prosody.interfaces.append("127.0.0.1")
        yield site.start()
        assert not site.reports()
    finally:
        problems = run.close()
    assert not problems, "\n".join(problems)


def test_a_message_passes_each_way_by_ipv6(federation6):
    run, edge = federation6.run, federation6.edge
    for space in INTERNET, PERIMETER:
        addresses = run.networks.run(space, [tool("ip"), "-4", "-o", "addr"])
        assert all(" lo " in l for l in addresses.splitlines()), addresses
    run.enter(INTERNET)
    bo = XmppUser(run, BO, "127.0.0.1", federation6.prosody.c2s,
                  federation6.public.certificate).login()
    run.enter(INTERNAL)
    anna = federation6.lync_user("anna")
    bo.send(ANNA, "By the longer addresses.")
    assert anna.message(body="By the longer addresses.").sender == BO
    assert anna.send(BO, "And back.").status == 200
    bo.message(body="And back.")
    assert edge.log.lines(rf"s2s_out stream-up .*peer=\"?\[{PARTNER6}\]:5269")
    assert edge.log.lines(rf"s2s_in stream-up .*peer=\"?\[{PARTNER6}\]:")
    channel = run.networks.run(ROUTER, [tool("nft"), "list", "ruleset"])
    assert re.search(rf"{GATEWAY6} ip6 daddr {INNER6} tcp dport 23456 .*"
                     r"packets [1-9]", channel), channel


class OtherPorts(NetRun):
    """Nothing of ours is where the documents have it; the partner is."""

    OURS = {25269: 15269, 23456: 33456, 25061: 15061}

    def port(self, address, preferred=None):
        if address != PARTNER and preferred in self.OURS:
            return self.OURS[preferred]
        return super().port(address, preferred)


@pytest.fixture
def moved(networks, description):
    run = OtherPorts("firewall-ports")
    try:
        with open(description, encoding="utf-8") as f:
            site = json.load(f)
        site["ports"] = {"xmpp": 15269, "channel": 33456, "gateway": 15061,
                         "pool": 15061}
        path = run.write("site.json", json.dumps(site))
        run.networks.load(plan(path, "--format", "nftables", "--nat"))
        site = TranslatedSite("firewall-ports", wide=False, run=run)
        site.dns.clients = "0.0.0.0/0"
        yield site.start()
        assert not site.reports()
    finally:
        problems = run.close()
    assert not problems, "\n".join(problems)


def test_other_ports_do_as_well(moved):
    run = moved.run
    assert listening(run, PERIMETER) == {(OUTER, 15269), (INNER, 33456)}
    run.enter(INTERNET)
    bo = moved.xmpp_user(BO)
    run.enter(INTERNAL)
    anna = moved.lync_user("anna")
    bo.send(ANNA, "To another port.")
    assert anna.message(body="To another port.").sender == BO
    assert anna.send(BO, "To yours.").status == 200
    bo.message(body="To yours.")
    # The usual ones are closed in the firewalls.
    assert run.networks.connect(INTERNET, [("", PUBLIC, 5269)]) == \
        ["filtered"]
    assert run.networks.connect(INTERNAL, [(GATEWAY, INNER, 23456)]) == \
        ["filtered"]
    status, answer, _ = verify(run, INTERNAL, run.path("site.json"),
                               "--from", "gw1.contoso.example")
    assert status == 0
    assert [p["port"] for p in answer["paths"] if p["outcome"] == "open"
            and p["rule"] == "sp-channel"] == [33456]
