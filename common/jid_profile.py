#!/usr/bin/python3
"""Writes common/jid_profile.inc: the characters outside ASCII that may stand in
a local part, because both profiles in use treat them alike.

For each code point that Unicode 3.2 assigns, compares what nodeprep (RFC 6122
appendix A) and UsernameCaseMapped (RFC 8265 section 3.3, RFC 8264 section 8)
make of it.  Kept are those that both accept and map to the same string.
Because no kept character has a compatibility mapping left after that, NFC
and NFKC agree on every string of kept characters.

Left out besides, although the single character agrees:
- U+03A3, whose lower case depends on what follows it;
- characters whose use depends on context (RFC 5892 appendix A).

    python3 common/jid_profile.py > common/jid_profile.inc
"""
import ctypes
import unicodedata

CONTEXT = {0xB7, 0x375, 0x5F3, 0x5F4, 0x30FB, 0x200C, 0x200D,
           *range(0x660, 0x66A), *range(0x6F0, 0x6FA)}
PVALID_BY_NAME = {0xDF, 0x3C2, 0x6FD, 0x6FE, 0xF0B, 0x3007}
DISALLOWED_BY_NAME = {0x640, 0x7FA, 0x302E, 0x302F, *range(0x3031, 0x3036),
                      0x303B}
# Default_Ignorable_Code_Point among letters and marks.
IGNORABLE = {0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C,
             0x180D, 0x180E, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10)}

libidn = ctypes.CDLL('libidn.so.12')
NO_UNASSIGNED = 4
profile = ctypes.c_void_p.in_dll(libidn, 'stringprep_xmpp_nodeprep')
profile = ctypes.addressof(profile)
libidn.stringprep.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int,
                              ctypes.c_void_p]


def nodeprep(c):
    """As libidn does it, which is what runs (None = refused)."""
    work = ctypes.create_string_buffer(c.encode(), 1024)
    if libidn.stringprep(work, len(work), NO_UNASSIGNED, profile) != 0:
        return None
    return work.value.decode()


def in_identifier_class(c):
    cp = ord(c)
    if cp in PVALID_BY_NAME:
        return True
    if cp in DISALLOWED_BY_NAME or cp in CONTEXT or cp in IGNORABLE:
        return False
    if 0x21 <= cp <= 0x7E:
        return True
    if 0x1100 <= cp <= 0x11FF or 0xA960 <= cp <= 0xA97F \
            or 0xD7B0 <= cp <= 0xD7FF:
        return False
    if unicodedata.normalize('NFKC', c) != c:
        return False
    return unicodedata.category(c) in ('Ll', 'Lu', 'Lo', 'Nd', 'Lm', 'Mn',
                                       'Mc')


def username_case_mapped(c):
    decomposition = unicodedata.decomposition(c).split()
    if decomposition and decomposition[0] in ('<wide>', '<narrow>'):
        c = ''.join(chr(int(d, 16)) for d in decomposition[1:])
    mapped = unicodedata.normalize('NFC', c.lower())
    return mapped if mapped and all(map(in_identifier_class, mapped)) else None


def agreed(cp):
    if 0xD800 <= cp <= 0xDFFF or cp == 0x3A3 or cp in CONTEXT:
        return False
    a = nodeprep(chr(cp))
    return a is not None and a == username_case_mapped(chr(cp))


def main():
    ranges = []
    for cp in range(0x80, 0x110000):
        if not agreed(cp):
            continue
        if ranges and ranges[-1][1] == cp - 1:
            ranges[-1][1] = cp
        else:
            ranges.append([cp, cp])
    print('/* Written by common/jid_profile.py; do not edit. */')
    print('/* clang-format off */')
    for low, high in ranges:
        print('{ 0x%x, 0x%x },' % (low, high))


main()
