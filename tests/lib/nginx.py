"""nginx before a gateway's HTTP interface, as sallyport-admin-api(7) shows it."""

import os
import re

from .authority import TREE
from .run import endpoint, root

PAGE = os.path.join(TREE, "frontend-gateway", "sallyport-admin-api.7")

AROUND = """\
daemon off;
{user}
worker_processes 1;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
{server}
}}
"""


def example():
    """The configuration of the manual, word by word."""
    with open(PAGE, encoding="utf-8") as f:
        section = f.read().split(".Ss A reverse proxy", 1)[1]
    return section.split(".Bd -literal\n", 1)[1].split(".Ed\n", 1)[0]


class Nginx:
    """names: what stands in the example, and what it is here.  It is called
    localhost, the one name that leads to this machine everywhere."""

    def __init__(self, run, names):
        self.address = "127.0.0.1"
        self.port = run.port(self.address)
        self.url = f"https://localhost:{self.port}"
        text = example()
        for old, new in {"10.1.0.5:8443": endpoint(self.address, self.port),
                         **names}.items():
            assert old in text, old
            text = text.replace(old, new)
        assert not re.search(r"/etc/|127\.0\.0\.1:8480;", text), text
        folder = run.folder("nginx")
        path = run.write("nginx/nginx.conf", AROUND.format(
            folder=folder, server=text,
            user="user root;" if root() else ""))
        self.process = run.process(
            "nginx", ["nginx", "-e", "stderr", "-p", folder, "-c", path])

    def start(self):
        self.process.start()
        self.process.await_port(self.address, self.port)
        return self

    def stop(self):
        self.process.stop()
