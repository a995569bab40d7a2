"""Many chats at once, by SIPp through Kamailio."""

import os

SCENARIOS = os.path.join(os.path.dirname(__file__), "sipp")


def sipp(site, scenario, calls, at_once, **keys):
    """Runs a scenario against the pool; fails with SIPp's own errors."""
    folder = site.run.folder("sipp")
    argv = ["sipp", "-sf", os.path.join(SCENARIOS, scenario), "-t", "t1",
            "-i", site.run.address(70), "-m", str(calls), "-l", str(at_once),
            "-r", "50", "-nostdin", "-timeout", "60", "-timeout_error",
            "-trace_err", "-error_file", os.path.join(folder, "errors.log"),
            f"{site.pool.address}:{site.pool.plain}"]
    for key, value in keys.items():
        argv += ["-key", key, value]
    site.run.command(argv, timeout=90, cwd=folder)


def test_many_chats_at_once_all_succeed(site, bo, anna):
    """anna is registered; SIPp speaks for her other endpoints, of which a
    user has eight at most: with a ninth session the oldest gets BYE."""
    sipp(site, "chat.xml", 60, 8, contact="bo", partner="partner.example",
         home="contoso.example", text="one of many")
    for _ in range(60):
        bo.message(body=lambda b: b.strip() == "one of many")
