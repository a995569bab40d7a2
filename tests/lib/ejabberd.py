"""ejabberd as a partner's server: the other dialect of XMPP at large.

Erlang is started directly, as no node of any network: no epmd, no cookie, no
ejabberdctl (which insists on its own user, and which Debian's AppArmor
profile keeps out of our folder).  SRV records come through an inetrc that
points at the run's name server; addresses, however, it asks of the C library,
which knows no other port than 53.  So whom it shall find needs an SRV record
whose target is the address itself (srv_literal below).  A peer's certificate must be good for clients too, and
carry DNS names only: version 23.01 refuses the purpose "server only" and
drops a peer whose certificate has an SRVName.
"""

import glob
import json

USER = "ejabberd"

CONFIG = """\
hosts:
{hosts}
loglevel: 4
certfiles:
{certificates}
ca_file: "{ca}"
s2s_cafile: "{trust}"
s2s_use_starttls: {starttls}
# After a refused connection it would bounce everything for minutes.
s2s_max_retry_delay: 1
auth_method: internal
auth_password_format: plain
default_db: mnesia
acme:
  auto: false
listen:
  -
    port: {c2s}
    ip: "{address}"
    module: ejabberd_c2s
    starttls_required: true
    access: c2s
  -
    port: {s2s}
    ip: "{address}"
    module: ejabberd_s2s_in
{direct}{components}access_rules:
  c2s:
    allow: all
modules:
{modules}
  mod_disco: {{}}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_roster: {{}}
  mod_version: {{}}
"""

DIRECT = """\
  -
    port: {port}
    ip: "{address}"
    module: ejabberd_s2s_in
    tls: true
"""

COMPONENT = """\
  -
    port: {port}
    ip: "{address}"
    module: ejabberd_service
    hosts:
      "{name}":
        password: "{secret}"
"""


class Ejabberd:
    def __init__(self, run, dns, authority, name="ejabberd", host=22):
        self.run = run
        self.dns = dns
        self.authority = authority
        self.name = name
        self.address = run.address(host)
        self.s2s = run.port(self.address, 25269)
        self.c2s = run.port(self.address, 25222)
        self.direct = None      # a port
        self.hosts = []
        # Whom other servers' certificates are to be from.
        self.trust = authority
        self.starttls = "required"
        self.dialback = False
        self.extra_modules = ()
        self.accounts = []
        self.components = []
        self.rooms = []
        self.process = None

    def host(self, name, leaf=None):
        self.hosts.append((name, leaf or self.authority.leaf(name)))
        return self

    def component(self, name, secret):
        """A domain served by a client of XEP-0114; returns its port."""
        port = self.run.port(self.address, 25347)
        self.components.append((name, secret, port))
        return port

    def muc(self, host):
        """A host's domain of rooms, which it returns."""
        self.extra_modules = (*self.extra_modules, "mod_muc")
        self.rooms.append(f"conference.{host}")
        return self.rooms[-1]

    def register(self, user, domain, password="secret"):
        self.accounts.append((user, domain, password))

    def srv_literal(self, domain, address, port, service="_xmpp-server"):
        """Lets ejabberd find a domain; for zones nobody else reads."""
        self.dns.srv(domain, address, port, service=service)

    def start(self, timeout=60):
        run = self.run
        folder = run.folder(self.name, USER)
        run.folder(f"{self.name}/spool", USER)
        run.folder(f"{self.name}/log", USER)
        pems = []
        leaves = self.hosts + [(name, self.authority.leaf(name))
                               for name in (*(c[0] for c in self.components),
                                            *self.rooms)]
        for name, leaf in leaves:
            with open(leaf.certificate, encoding="ascii") as cert, \
                    open(leaf.key, encoding="ascii") as key:
                pems.append(run.write(f"{self.name}/{name}.pem",
                                      cert.read() + key.read(), USER))
        conf = run.write(f"{self.name}/ejabberd.yml", CONFIG.format(
            hosts="\n".join(f"  - {n}" for n, _ in self.hosts),
            certificates="\n".join(f"  - {json.dumps(p)}" for p in pems),
            ca=run.copy(self.authority.certificate, f"{self.name}/ca.pem",
                        USER),
            direct="" if self.direct is None else DIRECT.format(
                port=self.direct, address=self.address),
            components="".join(COMPONENT.format(
                name=name, secret=secret, port=port, address=self.address)
                for name, secret, port in self.components),
            trust=run.copy(self.trust.certificate,
                           f"{self.name}/trust.pem", USER),
            starttls=json.dumps(self.starttls),
            modules="\n".join(
                f"  {name}: {{}}" for name in
                (*(("mod_s2s_dialback",) if self.dialback else ()),
                 *self.extra_modules)),
            address=self.address, c2s=self.c2s, s2s=self.s2s), USER)
        octets = self.dns.address.replace(".", ",")
        inetrc = run.write(
            f"{self.name}/inetrc",
            '{lookup, [file, dns]}.\n{resolv_conf, ""}.\n'
            f"{{nameserver, {{{octets}}}, {self.dns.port}}}.\n", USER)
        # Runs after ejabberd is up; the last words say so in the log.
        words = "".join(
            f'ok = ejabberd_auth:try_register(<<"{u}">>, <<"{d}">>, '
            f'<<"{p}">>), ' for u, d, p in self.accounts)
        self.process = run.process(self.name, [
            "erl", "-noinput", "-noshell", "+sbwt", "none",
            "-mnesia", "dir", f'"{folder}/spool"', "-s", "ejabberd",
            "-eval", f'{words}io:format("ready for users~n").'],
            user=USER, cwd=folder, env={
                "HOME": folder,
                "ERL_LIBS": glob.glob("/usr/lib/*/ejabberd-*/..")[0],
                "ERL_INETRC": inetrc,
                "ERL_CRASH_DUMP_BYTES": "0",
                "EJABBERD_CONFIG_PATH": conf,
                "EJABBERD_LOG_PATH": f"{folder}/log/ejabberd.log",
            })
        return self.restart(timeout)

    def restart(self, timeout=60):
        mark = self.log.mark()
        self.process.start()
        self.process.log.wait("ready for users", timeout, mark,
                              alive=self.process.alive)
        self.process.await_port(self.address, self.s2s)
        return self

    @property
    def log(self):
        return self.process.log
