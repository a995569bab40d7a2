"""HAProxy in front of an edge: passes TCP on with a header of the PROXY
protocol."""

CONFIG = """\
global
    maxconn 100
    log stderr format raw daemon

defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m

frontend outside
    bind {address}:{port}
    default_backend edges

backend edges
    source {source}
    server edge {edge}:{edge_port} {option}
"""


class Haproxy:
    """option: "send-proxy-v2", "send-proxy" (version 1), or ""."""

    def __init__(self, run, edge, host=36, option="send-proxy-v2"):
        self.run = run
        self.address = run.address(host)
        self.port = run.port(self.address, 25280)
        self.source = self.address
        path = run.write(f"haproxy-{host}.cfg", CONFIG.format(
            address=self.address, port=self.port, source=self.source,
            edge=edge.address, edge_port=edge.port, option=option))
        self.process = run.process(
            f"haproxy-{host}", ["haproxy", "-db", "-f", path])

    def start(self):
        self.process.start()
        self.process.await_port(self.address, self.port)
        return self

    def stop(self):
        self.process.stop()
