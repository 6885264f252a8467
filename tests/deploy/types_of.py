"""types_of.py - what a package of TypeScript declarations says of an object.

    Interfaces(text)["EcsServiceConfig"]["cluster"]     Member(needed=False, type="string")
"""
import collections
import re

Member = collections.namedtuple("Member", "needed type")

INTERFACE = re.compile(r"^export interface (\w+)[^{]*\{\n(.*?)^\}", re.M | re.S)
LINK = re.compile(r"#(\w+)\}$")
MEMBER = re.compile(r' *(?:readonly )?"?(\w+)"?(\??): (.*)[;{]$')


class Interfaces(dict):
    """Interfaces by name, each a dict of members.  A link of the member's comment has its true name."""

    def __init__(self, text):
        super().__init__({name: members(body) for name, body in INTERFACE.findall(text)})

    def of(self, member):
        """The members of what a member is, or None if that is no interface of these."""
        return next((self[word] for word in re.findall(r"\w+", member.type) if word in self), None)


def members(body):
    found, named = {}, None
    for line in body.splitlines():
        link = LINK.search(line)
        named = link[1] if link else named
        member = MEMBER.match(line)
        if member:
            found[named or member[1]] = Member(not member[2], member[3])
            named = None
    return found


def faults(given, members_, interfaces, place, nested):
    """What is unknown, and what is missing.  NESTED says which values of GIVEN are objects."""
    unknown = [f"{place}.{name} is not known" for name in given if name not in members_]
    missing = [f"{place}.{name} is missing" for name, member in members_.items()
               if member.needed and name not in given]
    inside = []
    for name, value in given.items():
        known = interfaces.of(members_[name]) if name in members_ else None
        for one in nested(value) if known is not None else ():
            inside += faults(one, known, interfaces, f"{place}.{name}", nested)
    return unknown + missing + inside
