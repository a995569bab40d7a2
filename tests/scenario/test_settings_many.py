"""A thousand partners in the operator's command: how long a look takes counts,
so this runs in the plain build, too."""

import json
import os
import re
import time

from lib.daemons import BIN
from lib.settings_site import SettingsSite

# A sanitizer takes its share.
PATIENCE = 4 if "asan" in os.path.abspath(BIN) else 1


def test_a_thousand_partners_are_listed_in_under_a_second():
    rows = [{"Domain": f"p{i:04}.example", "TlsNegotiation": "Required",
             "SaslNegotiation": "Required", "PartnerType": "Federated",
             "SupportDialbackNegotiation": False} for i in range(1000)]
    with SettingsSite("many") as site:
        path = site.run.write("thousand.json", json.dumps(rows))
        assert "1000 new, 0 changed" in site.said("import", path, "--yes")
        for argv in (("--json",), (), ("--list",)):
            begin = time.monotonic()
            said = site.said("partner", "get", *argv)
            took = time.monotonic() - begin
            assert len(set(re.findall(r"p\d{4}\.example", said))) == 1000
            assert took < PATIENCE, f"{argv}: {took:.2f} s"
        script = site.said("pool", "script", "--gateway",
                           "gw1.contoso.example", "--pool",
                           "pool.contoso.example", "--site", "Berlin")
        assert len(re.findall(r"'p\d{4}\.example'", script)) == 1000
        assert "1000 as they are" in site.said("import", path)
