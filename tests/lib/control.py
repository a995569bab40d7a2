"""The operator's command, as a test asks a daemon with it."""

import json
import subprocess

from .daemons import binary


class Refused(Exception):
    """The command's exit status was not 0; its words are the message."""

    def __init__(self, status, words):
        super().__init__(f"{status}: {words}")
        self.status = status
        self.words = words


def run(*arguments, timeout=20):
    """Exit status, standard output, standard error."""
    p = subprocess.run([binary("sallyport"), *arguments], timeout=timeout,
                       capture_output=True, text=True)
    return p.returncode, p.stdout, p.stderr


def ask(path, *verb):
    """The answer of the daemon behind the socket."""
    status, out, err = run("--json", "--socket", path, *verb)
    if status != 0:
        raise Refused(status, err.strip())
    return json.loads(out)
