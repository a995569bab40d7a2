"""An authority's web server: revocation lists, and answers about certificates
(OCSP) that openssl(1) makes; and what else a test wants it to say."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .journal import Journal


class StatusServer:
    """pages: path -> bytes, a path to redirect to, a number (the status), or
    a function of the handler.  responder: the authority that answers POSTs."""

    def __init__(self, run, dns, name="status.public.example", host=37):
        self.run = run
        self.address = run.address(host)
        self.port = run.port(self.address, 25680)
        self.name = name
        self.base = f"http://{name}:{self.port}"
        self.pages = {}
        self.responder = None
        self.journal = Journal(name)
        dns.zone(name.partition(".")[2])
        dns.a(name, self.address)
        self.server = None

    def put(self, path, file):
        with open(file, "rb") as f:
            self.pages[path] = f.read()

    def start(self):
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, body=b"", **headers):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                owner.journal.add("get", path=self.path,
                                  host=self.headers["Host"])
                page = owner.pages.get(self.path, 404)
                if callable(page):
                    page(self)
                elif isinstance(page, int):
                    self.answer(page)
                elif isinstance(page, str):
                    self.answer(302, Location=page)
                else:
                    self.answer(200, page)

            def do_POST(self):
                question = self.rfile.read(
                    int(self.headers["Content-Length"]))
                owner.journal.add("post", path=self.path)
                if owner.responder is None:
                    self.answer(503)
                else:
                    self.answer(200, owner.responder(question))

        self.server = ThreadingHTTPServer((self.address, self.port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever,
                         kwargs={"poll_interval": 0.05},
                         daemon=True).start()
        self.run.on_close(self.stop)
        return self

    def stop(self):
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def asked(self, kind, path):
        """How often."""
        return len([e for e in self.journal.entries
                    if e.kind == kind and e.path == path])
