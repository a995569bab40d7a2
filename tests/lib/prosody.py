"""Prosody as a partner's server: as many hosts as a test wants, one process.

Every host demands SASL EXTERNAL with a certificate of the public authority,
unless it is given another certificate or a laxer rule.  Prosody runs in the
foreground, as its own user when we are root.
"""

import re

USER = "prosody"

GLOBAL = """\
daemonize = false
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
plugin_paths = {{ "{plugins}" }}
interfaces = {{ {interfaces} }}
c2s_ports = {{ {c2s} }}
s2s_ports = {{ {s2s} }}
c2s_direct_tls_ports = {{ }}
s2s_direct_tls_ports = {{ {direct} }}
{direct_ssl}log = {{ {{
    levels = {{ min = "{level}" }}; to = "console"; timestamps = "%H:%M:%S";
}} }}
modules_enabled = {{
    "roster"; "saslauth"; "tls"; "disco"; "ping"; "version"; {modules}
}}
modules_disabled = {{ "limits" }}
authentication = "internal_plain"
storage = "internal"
network_settings = {{ nagle = false }}
c2s_require_encryption = true
s2s_require_encryption = {encryption}
s2s_secure_auth = true
s2s_insecure_domains = {{ {insecure} }}
-- Names come from the run's own name server; without the option libunbound
-- asks no server on loopback.
unbound = {{
    resolvconf = "/dev/null"; hoststxt = false;
    forward = {{ "{dns}" }};
    options = {{ ["do-not-query-localhost:"] = "no" }};
}}
ssl = {{ cafile = "{ca}" }}
"""

DIRECT = """\
s2s_direct_tls_ssl = {{
    certificate = "{certificate}"; key = "{key}"; cafile = "{ca}";
}}
"""

HOST = """
VirtualHost "{name}"
    ssl = {{ certificate = "{certificate}"; key = "{key}"; cafile = "{trust}" }}
    s2s_secure_auth = {secure}
    modules_disabled = {{ {disabled} }}
    {options}
"""

COMPONENT = """
Component "{name}"
    component_secret = "{secret}"
    modules_enabled = {{ {modules} }}
"""


MUC = """
Component "{name}" "muc"
    ssl = {{ certificate = "{certificate}"; key = "{key}" }}
    restrict_room_creation = false
    muc_room_locking = false
"""


def lua_list(items):
    return "; ".join(f'"{i}"' for i in items)


def encode(text):
    """Prosody's name for a file: all but letters and digits as %xx."""
    return re.sub(r"[^A-Za-z0-9_]",
                  lambda m: "".join(f"%{b:02x}" for b in m[0].encode()), text)


class Prosody:
    def __init__(self, run, dns, authority, name="prosody", host=20,
                 interfaces6=()):
        self.run = run
        self.dns = dns
        self.authority = authority
        self.name = name
        self.address = run.address(host)
        # One port for s2s at every address, ::1 included: a setting of
        # Prosody is a list of addresses times a list of ports.
        self.interfaces = [self.address, *interfaces6]
        self.s2s = run.port6 if interfaces6 else run.port(self.address, 25269)
        self.c2s = run.port(self.address, 25222)
        self.direct = None      # a port, with the first host's certificate
        self.hosts = []
        self.components = []
        self.rooms = []
        self.component_port = None
        self.modules = []
        # Of the whole server; it does not ask hosts about these.
        self.encryption = True
        self.insecure_domains = []
        self.log_level = "debug"
        self.process = None

    def host(self, name, leaf=None, secure=True, disabled=(), trust=None,
             options=""):
        """A domain; leaf None asks the authority for a proper one.  trust:
        another authority than everybody's; options: more of its settings."""
        leaf = leaf or self.authority.leaf(name)
        self.hosts.append((name, leaf, secure, disabled, trust, options))
        return self

    def component(self, name, secret):
        """A domain served by a client of XEP-0114: load without roster."""
        if self.component_port is None:
            self.component_port = self.run.port(self.address, 25347)
        self.components.append((name, secret))
        return self

    def muc(self, name):
        """A domain of rooms."""
        self.rooms.append((name, self.authority.leaf(name)))
        return self

    def register(self, user, domain, password="secret"):
        """Writes the account as Prosody's own storage has it."""
        folder = f"{self.name}/data/{encode(domain)}/accounts"
        for part in ("data", f"data/{encode(domain)}",
                     f"data/{encode(domain)}/accounts"):
            self.run.folder(f"{self.name}/{part}", USER)
        self.run.write(f"{folder}/{encode(user)}.dat",
                       f'return {{ ["password"] = "{password}"; }};\n', USER)

    def start(self):
        run = self.run
        folder = run.folder(self.name, USER)
        run.folder(f"{self.name}/data", USER)
        ca = run.copy(self.authority.certificate, f"{self.name}/ca.pem", USER)
        direct_ssl = ""
        if self.direct is not None:
            leaf = self.hosts[0][1]
            direct_ssl = DIRECT.format(
                certificate=run.copy(leaf.certificate,
                                     f"{self.name}/direct.pem", USER),
                key=run.copy(leaf.key, f"{self.name}/direct.key", USER),
                ca=ca)
        text = GLOBAL.format(
            direct=self.direct or "", direct_ssl=direct_ssl,
            folder=folder, ca=ca, encryption=str(self.encryption).lower(),
            insecure=lua_list(self.insecure_domains), level=self.log_level,
            dns=self.dns.server, plugins=folder,
            interfaces=lua_list(self.interfaces), c2s=self.c2s, s2s=self.s2s,
            modules=lua_list(self.modules))
        if self.components:
            text += (f'component_interfaces = {{ "{self.address}" }}\n'
                     f"component_ports = {{ {self.component_port} }}\n")
        for name, leaf, secure, disabled, trust, options in self.hosts:
            text += HOST.format(
                name=name, options=options,
                trust=ca if trust is None else
                run.copy(trust.certificate, f"{self.name}/{name}.ca", USER),
                secure=str(secure).lower(),
                disabled=lua_list(disabled),
                certificate=run.copy(leaf.certificate,
                                     f"{self.name}/{name}.pem", USER),
                key=run.copy(leaf.key, f"{self.name}/{name}.key", USER))
        for name, secret in self.components:
            # A component inherits no modules, and has no use for those of
            # users: they take its presence for theirs.
            text += COMPONENT.format(
                name=name, secret=secret,
                modules=lua_list(m for m in self.modules
                                 if m not in ("blocklist", "vcard")))
            leaf = self.authority.leaf(name)
            text += '    ssl = {{ certificate = "{}"; key = "{}" }}\n'.format(
                run.copy(leaf.certificate, f"{self.name}/{name}.pem", USER),
                run.copy(leaf.key, f"{self.name}/{name}.key", USER))
        for name, leaf in self.rooms:
            text += MUC.format(
                name=name,
                certificate=run.copy(leaf.certificate,
                                     f"{self.name}/{name}.pem", USER),
                key=run.copy(leaf.key, f"{self.name}/{name}.key", USER))
        conf = run.write(f"{self.name}/prosody.cfg.lua", text, USER)
        self.process = run.process(self.name,
                                   ["prosody", "--config", conf, "-F"],
                                   user=USER, env={"HOME": folder})
        return self.restart()

    def restart(self):
        self.process.start()
        for address in self.interfaces:
            self.process.await_port(address, self.s2s)
        for port in (self.c2s, self.component_port, self.direct):
            if port is not None:
                self.process.await_port(self.address, port)
        return self

    def stop(self):
        self.process.stop()

    @property
    def log(self):
        return self.process.log
