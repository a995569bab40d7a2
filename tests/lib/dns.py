"""unbound as the world's only name server: plain zones, nothing beyond."""

import os


class Dns:
    def __init__(self, run, host=2):
        self.run = run
        self.address = run.address(host)
        self.port = run.port(self.address, 20053)
        self.records = []
        self.zones = []
        self.process = None

    @property
    def server(self):
        """The form libunbound takes: address@port."""
        return f"{self.address}@{self.port}"

    def zone(self, name):
        self.zones.append(name)

    def a(self, name, address):
        kind = "AAAA" if ":" in address else "A"
        self.records.append(f"{name}. 60 IN {kind} {address}")

    def srv(self, domain, target, port, priority=10, weight=10,
            service="_xmpp-server"):
        self.records.append(f"{service}._tcp.{domain}. 60 IN SRV "
                            f"{priority} {weight} {port} {target}.")

    def start(self):
        zones = "\n".join(f'    local-zone: "{z}." static'
                          for z in self.zones)
        data = "\n".join(f"    local-data: '{r}'" for r in self.records)
        folder = self.run.folder("dns", "unbound")
        conf = self.run.write("dns/unbound.conf", f"""\
server:
    interface: {self.address}
    port: {self.port}
    access-control: 127.0.0.0/8 allow
    do-daemonize: no
    use-syslog: no
    logfile: ""
    log-queries: yes
    verbosity: 1
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    num-threads: 1
    # Only the iterator: there is nothing to validate here.
    module-config: "iterator"
    local-zone: "." always_nxdomain
{zones}
{data}
remote-control:
    control-enable: no
""", user="unbound")
        self.process = self.run.process(
            "dns", ["unbound", "-d", "-p", "-c", conf], user="unbound",
            env={"PATH": os.environ["PATH"] + ":/usr/sbin"}).start()
        self.process.await_port(self.address, self.port)
        return self
