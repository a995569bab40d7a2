"""A guide of deploy/, taken apart into what its reader types and writes."""

import os
import re

from .authority import TREE

COMMAND = re.compile(r"(sallyport|sallyport-\w+|cd|chmod|chgrp|apt|systemctl|"
                     r"cp|sed|sh|nft|firewall-cmd)\b")
RECORD = re.compile(r"\S+\.  (A|AAAA|SRV)  ")
# What is typed into the pool's Management Shell, not into a host of ours.
POWERSHELL = re.compile(r"\$\w+ =|[A-Z][a-z]+-[A-Z]")


class Block:
    """What is indented on the page."""

    def __init__(self, section, before, text):
        self.section = section
        self.before = before        # the line above it
        self.text = text
        if text.startswith("{"):
            self.kind = "file"
            self.path = re.search(r"`([^`]+\.json)`:$", before)[1]
        elif RECORD.match(text):
            self.kind = "records"
        elif POWERSHELL.match(text):
            self.kind = "powershell"
        else:
            self.kind = "commands"

    def commands(self):
        """As they are typed; what goes on in the next line is one."""
        for line in re.split(r"(?<!\\)\n", self.text):
            assert COMMAND.match(line), f"not understood: {line}"
            yield line


class Guide:
    def __init__(self, name):
        self.name = name
        with open(os.path.join(TREE, "deploy", name), encoding="utf-8") as f:
            lines = f.read().splitlines()
        self.blocks = []
        section, before, block = "", "", []
        for line in [*lines, "end"]:
            if line.startswith("    ") or (block and not line):
                block.append(line[4:])
                continue
            if block:
                self.blocks.append(
                    Block(section, before, "\n".join(block).strip()))
                block = []
            if line.startswith("#"):
                section = line.lstrip("# ")
            if line:
                before = line

    def sections(self):
        return list(dict.fromkeys(b.section for b in self.blocks))

    def of(self, *starts):
        """The blocks of the sections that begin so, in the page's order."""
        found = [b for b in self.blocks if b.section.startswith(starts)]
        assert found, starts
        return found

    def commands(self):
        """Each in one line."""
        for block in self.blocks:
            if block.kind == "commands":
                for text in block.commands():
                    yield " ".join(text.replace("\\\n", " ").split())

    def file(self, path):
        found, = [b.text for b in self.blocks
                  if b.kind == "file" and b.path == path]
        return found
