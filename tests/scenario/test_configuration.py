"""What the daemons say about their files, before anything runs."""

import copy
import json
import subprocess

import pytest

from lib.daemons import binary


def check(daemon, config, folder):
    path = folder / f"{daemon.program.split('-')[1]}.json"
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    done = subprocess.run(
        [binary(daemon.program), "--config", str(path), "--check"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=20)
    return done.returncode, done.stdout.strip()


def changed(config, path, value):
    """A copy with one member changed; None takes it away."""
    config = copy.deepcopy(config)
    node, (*parents, last) = config, path
    for key in parents:
        node = node[key]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return config


def test_sound_files_pass(site, tmp_path):
    for daemon in (site.edge, site.gateway):
        status, text = check(daemon, daemon.config, tmp_path)
        assert (status, text.endswith(".json: ok")) == (0, True), text


@pytest.mark.parametrize("path, value, told", [
    (("external", "listen"), ["127.0.0.1:70000"],
     "/external/listen/0: port 70000 is above 65535"),
    (("external", "listen"), ["nonsense:5269"], "/external/listen/0"),
    (("external", "trust"), "/nowhere/ca.pem", "/nowhere/ca.pem"),
    (("internal", "gateways"), None, "/internal/gateways"),
    (("node",), None, "/node"),
    (("speling",), 1, "speling"),
    (("grace_seconds",), "many", "/grace_seconds"),
])
def test_a_mistake_in_the_edges_file_is_named(
        site, tmp_path, path, value, told):
    status, text = check(site.edge, changed(site.edge.config, path, value),
                         tmp_path)
    assert status == 1
    assert told in text and "edge.json" in text
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize("path, value, told", [
    (("sip", "listen"), ["127.0.0.1:70000"],
     "/sip/listen/0: port 70000 is above 65535"),
    (("sip", "key"), "/nowhere/sip.key", "/nowhere/sip.key"),
    (("partners", 0, "PartnerType"), "Friend", "/partners/0/PartnerType"),
    (("partners", 0, "Domain"), "contoso.example", "/partners"),
    (("users",), ["not an address"], "/users/0"),
    (("limits",), {"body_bytes": 1}, "/limits/body_bytes"),
    (("speling",), 1, "speling"),
])
def test_a_mistake_in_the_gateways_file_is_named(
        site, tmp_path, path, value, told):
    status, text = check(site.gateway,
                         changed(site.gateway.config, path, value), tmp_path)
    assert status == 1
    assert told in text and "gateway.json" in text
    assert len(text.splitlines()) == 1


def test_a_partner_that_may_not_use_certificates_is_refused(site, tmp_path):
    """Until there is dialback, nothing else could authenticate it."""
    config = changed(site.gateway.config, ("partners", 0, "SaslNegotiation"),
                     "NotSupported")
    status, text = check(site.gateway, config, tmp_path)
    assert status == 1
    assert "/partners/0" in text


def test_what_is_no_json_is_told_with_its_place(site, tmp_path):
    for daemon in (site.edge, site.gateway):
        status, text = check(daemon, '{\n  "node": ,\n}', tmp_path)
        assert status == 1
        assert ".json:2:" in text


def test_wrong_options_are_a_matter_of_usage(site):
    for daemon in (site.edge, site.gateway):
        for argv in (["--nonsense"], [], ["--config"]):
            done = subprocess.run([binary(daemon.program), *argv],
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=20)
            assert done.returncode == 2, argv
        for option in ("--help", "--version"):
            done = subprocess.run([binary(daemon.program), option],
                                  stdout=subprocess.PIPE, timeout=20)
            assert done.returncode == 0 and done.stdout
