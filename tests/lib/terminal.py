"""A person at a terminal with mcabber, as Debian has it: what he types is typed
into it, what he sees is what is on its screen.

mcabber runs in a tmux of its own, which knows no configuration and talks over a
socket in the run's folder; the pane is the screen.
"""

import shutil
import subprocess
import time

CONFIG = """\
set jid = {jid}/terminal
set password = secret
set server = {address}
set port = {port}
set tls = 1
set ssl_ignore_checks = 1
set disable_chatstates = 0
set beep_on_message = 0
set log_win_height = 6
set roster_width = 24
set show_status_in_buffer = 0
set message_escapes = 0
"""

COLUMNS, LINES = 110, 34


class Terminal:
    def __init__(self, run, jid, address, port):
        self.run = run
        folder = run.folder("terminal")
        self.socket = f"{folder}/tmux"
        conf = run.write("terminal/mcabberrc", CONFIG.format(
            jid=jid, address=address, port=port))
        # It will not read a file that others can.
        subprocess.run(["chmod", "600", conf], check=True)
        self.command = f"exec mcabber -f {conf}"

    @staticmethod
    def missing():
        return [p for p in ("tmux", "mcabber") if shutil.which(p) is None]

    def _tmux(self, *args):
        return subprocess.run(
            ["tmux", "-S", self.socket, "-f", "/dev/null", *args],
            check=True, stdout=subprocess.PIPE, text=True, timeout=10).stdout

    def login(self, timeout=20):
        self._tmux("-u", "new-session", "-d", "-s", "person", "-x",
                   str(COLUMNS), "-y", str(LINES),
                   f"env TERM=screen LANG=C.UTF-8 HOME={self.run.folder('terminal')} "
                   f"sh -c '{self.command}'")
        self.run.on_close(self.close)
        self.shows("Your status has been set", timeout)
        return self

    def close(self):
        """Ends this tmux and what runs in it, by its own socket."""
        subprocess.run(["tmux", "-S", self.socket, "kill-server"],
                       check=False, stderr=subprocess.DEVNULL, timeout=10)

    def type(self, text, enter=True):
        """As on the keyboard."""
        self._tmux("send-keys", "-t", "person", "-l", text)
        if enter:
            self._tmux("send-keys", "-t", "person", "Enter")

    def screen(self):
        return self._tmux("capture-pane", "-t", "person", "-p")

    def shows(self, what, timeout=20):
        """Waits until the text, or what the function looks for, is on the
        screen, which it returns."""
        looks = what if callable(what) else lambda screen: what in screen
        end = time.monotonic() + timeout
        while not looks(screen := self.screen()):
            assert time.monotonic() < end, \
                f"{what!r} is not on the screen:\n{screen}"
            time.sleep(0.1)
        return screen
