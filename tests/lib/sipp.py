"""SIPp in the place of a front end.

Debian builds SIPp without TLS.  The bridge is the front end toward the
gateway, with its certificate and both directions of connections, and hands the
bytes on to SIPp over TCP: what SIPp sends leaves as it is; what the gateway
sends goes to the SIPp that has the Call-ID, or for a new one to the next that
waits for a call.

Journal kinds beside FrontEnd's: sent (method), a request of SIPp's.
"""

import asyncio
import os
import re
import subprocess
import tempfile

from .front_end import FrontEnd

CALL_ID = re.compile(rb"(?im)^(?:call-id|i) *: *(\S+)")
METHOD = re.compile(rb"(?m)^([A-Z]+) sips?:\S+ SIP/2.0\r$")
SCENARIOS = os.path.join(os.path.dirname(__file__), "..", "scenario", "sipp")


class Bridge(FrontEnd):
    def __init__(self, run, authority, **more):
        super().__init__(run, authority, **more)
        self.plain = run.port(self.address, 25070)
        self.calls = {}         # Call-ID -> writer toward a SIPp
        self.waiting = []       # writers toward those that wait for a call
        self.line = None        # our connection to the gateway
        self.gateway = None
        self.contact = "bo"     # whom the scenarios write to

    # --- SIPp's side --------------------------------------------------------

    async def _open(self):
        async def on_sipp(reader, writer):
            await self._from_sipp(reader, writer)

        self.tcp = await asyncio.start_server(on_sipp, self.address,
                                              self.plain)

    async def _from_sipp(self, reader, writer):
        try:
            while True:
                data = await reader.read(65536)
                if not data:
                    break
                for call_id in CALL_ID.findall(data):
                    self.calls[call_id.decode()] = writer
                for method in METHOD.findall(data):
                    self.journal.add("sent", method=method.decode())
                if self.line is None or self.line.closed:
                    self.line = await self._connect(self.gateway.address,
                                                    self.gateway.port)
                self.line.send(data)
        except ConnectionError:
            pass
        finally:
            self.calls = {k: w for k, w in self.calls.items()
                          if w is not writer}
            writer.close()

    async def _expect(self, port):
        """A SIPp that waits for a call; it may not listen yet."""
        for attempt in range(200):
            try:
                reader, writer = await asyncio.open_connection(
                    self.address, port)
                break
            except ConnectionError:
                if attempt == 199:
                    raise
                await asyncio.sleep(0.05)
        self.waiting.append(writer)
        asyncio.ensure_future(self._from_sipp(reader, writer))

    # --- the gateway's side -------------------------------------------------

    def _on_message(self, message, conn):
        if message.request:
            self.journal.add("request", method=message.method,
                             request=message, call_id=message.call_id,
                             connection=conn)
        else:
            self.journal.add("response", method=message.method,
                             status=message.status, response=message)
        writer = self.calls.get(message.call_id)
        if writer is None and self.waiting and message.request:
            writer = self.calls[message.call_id] = self.waiting.pop(0)
        if writer is not None:
            # A request on one connection may overtake an answer on another,
            # which SIPp, reading one script, cannot stand.
            asyncio.get_running_loop().call_later(
                0.1 if message.request else 0, writer.write, message.bytes())
        elif message.request and message.method != "ACK":
            conn.send(message.answer(480, "Temporarily Unavailable", "x1"))

    # --- for tests ----------------------------------------------------------

    def begin(self, gateway):
        self.gateway = gateway
        self.run.wait(self._open(), 10)
        return self

    def play(self, scenario, **keys):
        """Starts SIPp; .finish() waits for its end."""
        return Play(self, scenario, keys)


class Play:
    """One SIPp and one call.  Scenarios named *_called wait for it."""

    count = 0

    def __init__(self, bridge, scenario, keys):
        self.bridge = bridge
        self.folder = tempfile.mkdtemp(dir=bridge.run.folder("sipp"))
        self.errors = os.path.join(self.folder, "errors.log")
        called = scenario.endswith("_called")
        # SIPp wants numbers where statuses are: those are put in before.
        with open(os.path.join(SCENARIOS, scenario + ".xml"),
                  encoding="utf-8") as f:
            text = f.read()
        for key, value in keys.items():
            text = text.replace(f"@{key}@", value)
        path = os.path.join(self.folder, scenario + ".xml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        Play.count += 1
        port = bridge.run.port(bridge.address, 25100 + Play.count)
        argv = ["sipp", "-sf", path,
                "-t", "t1", "-i", bridge.address, "-p", str(port),
                "-m", "1", "-nostdin", "-timeout", "40", "-timeout_error",
                "-trace_err", "-error_file", self.errors,
                "-key", "fe", bridge.name, "-key", "pool", bridge.pool,
                "-key", "partner", "partner.example",
                "-key", "home", "contoso.example",
                "-key", "contact", bridge.contact]
        if not called:
            argv.append(f"{bridge.address}:{bridge.plain}")
        self.process = subprocess.Popen(
            argv, cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        bridge.run.on_close(self.kill)
        if called:
            bridge.run.wait(bridge._expect(port), 20)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def finish(self, timeout=50):
        status = self.process.wait(timeout)
        if status != 0:
            text = "no error file"
            if os.path.exists(self.errors):
                with open(self.errors, encoding="utf-8",
                          errors="replace") as f:
                    text = f.read()
            raise AssertionError(f"SIPp ended with {status}:\n{text}")
