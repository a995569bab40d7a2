"""What the gateway's file says of settings, which is taken over once; what
becomes of each parameter is in test_live_partner.py, test_live_rights.py and
test_live_gateway_config.py."""

import pytest

from lib.daemons import partner
from lib.presence_site import PresenceSite

pytestmark = pytest.mark.once


def test_the_file_is_taken_over_once():
    """What it says later of the same things is told, and does not count."""
    from conftest import Started
    site = PresenceSite("settings")
    with Started(site) as site:
        couple = site.couple()
        bo = couple.login()
        assert site.pool.chat(couple.anna, couple.bo, "by the file") == 200
        bo.message(body="by the file")
        site.gateway.stop()
        trail = site.store("SELECT via, kind, count(*) FROM audit "
                           "WHERE via = 'import' GROUP BY kind ORDER BY kind")
        assert [r[1] for r in trail] == ["access-edge", "grant", "partner",
                                         "policy"]
        site.gateway.config["partners"].append(partner("newer.example"))
        site.gateway.config["limits"] = {"ConnectionLimit": 77}
        mark = site.gateway.log.mark()
        site.gateway.start()
        line = site.gateway.log.wait("file-members-ignored", mark=mark)
        assert "limits.ConnectionLimit" in line and "partners" in line
        site.await_partner(couple)
        assert site.pool.chat(couple.anna, "x@newer.example", "?") in (403,
                                                                       404)
        assert "settings-imported" not in site.gateway.log.text(mark)
