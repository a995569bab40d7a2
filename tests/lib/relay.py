"""A wire that can be cut: a TCP relay before one address and port."""

import asyncio


class Relay:
    def __init__(self, run, host, target):
        self.run = run
        self.target = target            # (address, port)
        self.address = run.address(host)
        self.port = run.port(self.address, target[1])
        self.server = None
        self.writers = set()

    async def _listen(self):
        self.server = await asyncio.start_server(self._serve, self.address,
                                                 self.port)

    async def _serve(self, reader, writer):
        try:
            there, back = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        self.writers |= {writer, back}
        await asyncio.gather(self._pass(reader, back),
                             self._pass(there, writer))
        self.writers -= {writer, back}

    @staticmethod
    async def _pass(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.transport.abort()

    async def _cut(self):
        for writer in self.writers:
            writer.transport.abort()

    async def _stop(self):
        self.server.close()
        await self._cut()

    # --- for tests ---------------------------------------------------------

    def start(self):
        self.run.wait(self._listen(), 10)
        self.run.on_close(self.stop)
        return self

    def cut(self):
        """Ends all connections at once; new ones are taken."""
        self.run.wait(self._cut(), 10)

    def stop(self):
        if self.server is not None:
            self.run.wait(self._stop(), 10)
            self.server = None
