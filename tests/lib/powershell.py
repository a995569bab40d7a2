"""Takes PowerShell apart as far as its quoting goes: comments, strings, words
and brackets.  Nothing runs it; it shows that what a script was given stayed
where it was put.

After the language specification, 2.3: a backtick takes the next character
as it is, '' stands for ' in a verbatim string, "" and `" for " in an
expandable one, which expands $name and $( ).  The typographic quotes count
as plain ones.
"""

SINGLE = "'\u2018\u2019\u201a\u201b"
DOUBLE = '"\u201c\u201d\u201e'
OPEN, CLOSE = "([{", ")]}"


class Wrong(Exception):
    """Not PowerShell: where, and why."""


def _string(text, at, quotes):
    """The end of the string that begins at text[at], and what is in it."""
    begin, out = at, []
    at += 1
    while at < len(text):
        c = text[at]
        if c == "`" and quotes is DOUBLE:
            out.append(text[at:at + 2])
            at += 2
        elif c in quotes:
            if at + 1 < len(text) and text[at + 1] in quotes:
                out.append(c)
                at += 2
                continue
            return at + 1, "".join(out)
        else:
            out.append(c)
            at += 1
    raise Wrong(f"a string that begins at {begin} does not end: "
                f"{text[begin:begin + 40]!r}")


def tokens(text):
    """[(kind, text)] with kinds comment, verbatim, expandable, bracket,
    word."""
    out, stack, at = [], [], 0
    while at < len(text):
        c = text[at]
        if c == "#":
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            out.append(("comment", text[at:end]))
            at = end
        elif c in SINGLE or c in DOUBLE:
            kind = SINGLE if c in SINGLE else DOUBLE
            at, inner = _string(text, at, kind)
            out.append(("verbatim" if kind is SINGLE else "expandable",
                        inner))
        elif c in OPEN:
            stack.append(c)
            out.append(("bracket", c))
            at += 1
        elif c in CLOSE:
            if not stack or OPEN.index(stack.pop()) != CLOSE.index(c):
                raise Wrong(f"{c} at {at} closes nothing: "
                            f"{text[max(0, at - 40):at + 1]!r}")
            out.append(("bracket", c))
            at += 1
        elif c.isspace():
            at += 1
        else:
            begin = at
            while at < len(text) and not text[at].isspace() and \
                    text[at] not in SINGLE + DOUBLE + OPEN + CLOSE + "#":
                at += 2 if text[at] == "`" and text[at + 1:at + 2] != "\n" \
                    else 1
            out.append(("word", text[begin:at]))
    if stack:
        raise Wrong(f"{stack[-1]} is not closed")
    return out


def skeleton(text):
    """What the script does, whatever it is given: no comments, and strings
    without their text."""
    return [(kind, "" if kind in ("verbatim", "expandable") else part)
            for kind, part in tokens(text) if kind != "comment"]
