"""Files and documents that must not pass."""

from __future__ import annotations

from tests.gitdoor.hostile.case import MAIN, PROPOSAL, Case, document, file, raw_entry

MODES = {
    "a symbolic link": Case(file(b"link", b"/etc/passwd", "120000"), "symbolic link"),
    "a symbolic link to .git": Case(file(b"link", b".git/config", "120000"), "symbolic link"),
    "a symbolic link as a document": Case(file(b"link.json", b"nginx.json", "120000"), "symbolic link"),
    "a symbolic link in a folder": Case(file(b"a/b/link", b"../../x", "120000"), "a/b/link"),
    "a symbolic link in a proposal": Case(file(b"link", b"x", "120000"), "symbolic link", (PROPOSAL,)),
    "a submodule": Case(lambda p: p.files({b"sub": ("160000", "1" * 40)}), "submodule"),
    "a submodule in a proposal": Case(
        lambda p: p.files({b"sub": ("160000", "1" * 40)}), "submodule", (PROPOSAL,)
    ),
    "a program as a document": Case(file(b"run.json", b"{}\n", "100755"), "mode: 100755"),
    "a file for the group": Case(file(b"notes", b"x", "100664"), "mode"),
    "a file for all": Case(file(b"notes", b"x", "100666"), "mode"),
    "a setuid file": Case(file(b"notes", b"x", "104755"), "mode"),
    "a mode of nothing": Case(raw_entry("0", b"notes"), ""),
    "a mode of one digit": Case(raw_entry("7", b"notes"), ""),
    "a mode with a zero before it": Case(raw_entry("0100644", b"notes"), ""),
    "a device": Case(raw_entry("60000", b"dev"), ""),
    "a fifo": Case(raw_entry("10000", b"fifo"), ""),
    "a mode that is no number": Case(raw_entry("10064x", b"notes"), ""),
    "a folder of another mode": Case(raw_entry("40755", b"folder"), ""),
}

# fmt: off
_NAMES = (
    b".git/config", b".GIT/config", b".Git", b"git~1", b"GIT~1", b".git ", b".git.",
    b".git::$INDEX_ALLOCATION", ".g\u200cit".encode(), ".gi\u200dt/hooks/x".encode(),
    "\ufeff.git".encode(), b"a\\b", b"C:x", b"con", b"aux.txt", b"nul/x", b"com1.json", b"LPT9.log",
    b"dot.", b"space ", b"star*", b"quest?", b'quote"', b"pipe|", b"less<", b"new\nline",
    b"esc\x1b[31m", b"del\x7f", "right\u202eleft".encode(), b"bad\xffutf8", b"a" * 300,
    b"/".join([b"d"] * 40), b"/".join([b"d" * 60] * 12), b".gitmodules", b".GITMODULES",
    b"a/.gitmodules", b".gitattributes", b"a/.gitattributes", b".GitAttributes", b"sub/.git/config",
    b"PROGRA~1",
)
# fmt: on

NAMES = {
    f"a file called {ascii(name)[:60]} in {ref}": Case(file(name), "", (ref,))
    for ref in (MAIN, PROPOSAL)
    for name in _NAMES
}

LAYOUT = {
    "a capital": Case(file(b"Nginx2.json", b"{}"), "nginx2.json"),
    "a .yml": Case(file(b"web.yml", b"a: 1\n"), "web.yaml"),
    "a blank in a name": Case(file(b"a b.json", b"{}"), "a-b.json"),
    "a second file of a service": Case(file(b"nginx.yaml", b"a: 1\n"), "one file for one service"),
    "a folder like a document": Case(file(b"x.json/y.json", b"{}"), "folder"),
    "names that differ by case": Case(
        lambda p: p.files({b"Notes.txt": b"1", b"notes.txt": b"2"}), "case does not count"
    ),
    "names that differ by form": Case(
        lambda p: p.files({"caf\u00e9.txt".encode(): b"1", "cafe\u0301.txt".encode(): b"2"}), "one name"
    ),
    "an odd place below .configsvc": Case(file(b".configsvc/hooks/x", b"x"), "not one of configsvc's files"),
    "another spelling of .configsvc": Case(file(b".ConfigSvc/services/x.yaml", b"x"), ".configsvc"),
    ".configsvc as a file": Case(file(b".configsvc", b"x"), ""),
    "the attributes removed": Case(lambda p: p.files({b".gitattributes": None}), "removed"),
    "a reserved suffix": Case(file(b"x.lock.json", b"{}"), "name"),
    "a schema for nobody": Case(file(b".configsvc/schemas/X Y.json", b"{}"), "not one of"),
}

DOCUMENTS = {
    "JSON that is cut short": Case(document(b'{"a": '), "doc.json:1:"),
    "JSON with a key twice": Case(document(b'{\n "a": 1,\n "a": 2}'), "doc.json:3:"),
    "JSON with NaN": Case(document(b'{"a": NaN}'), "doc.json:1:"),
    "a JSON list": Case(document(b"[1]"), "doc.json"),
    "a JSON number": Case(document(b"1"), "doc.json"),
    "an empty file": Case(document(b""), "doc.json"),
    "JSON that is not UTF-8": Case(document(b'{"a": "\xff"}'), "doc.json"),
    "JSON too deep": Case(document(b'{"a":' + b"[" * 70 + b"]" * 70 + b"}"), "depth"),
    "JSON far too deep": Case(document(b'{"a":' + b"[" * 100_000), "depth"),
    "JSON with too many nodes": Case(document(b'{"a":[' + b"1," * 110_000 + b"1]}"), "nodes"),
    "JSON too large": Case(document(b'{"a":"' + b"x" * (1 << 20) + b'"}'), "bytes"),
    "YAML far too deep": Case(document(b"a: " + b"[" * 80_000, b"doc.yaml"), "depth"),
    "YAML with a tag": Case(document(b"a: !!python/object:os.system x\n", b"doc.yaml"), "doc.yaml:1:"),
    "YAML that multiplies": Case(
        document(
            b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
            + b"".join(
                b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 9)
            ),
            b"doc.yaml",
        ),
        "doc.yaml",
    ),
    "two YAML documents": Case(document(b"a: 1\n---\nb: 2\n", b"doc.yaml"), "doc.yaml"),
    "YAML with tabs": Case(document(b"a:\n\t- b\n", b"doc.yaml"), "doc.yaml:2:"),
    "a malformed meta file": Case(
        document(b"enabled: maybe\n", b".configsvc/services/nginx.yaml"), "enabled"
    ),
    "a malformed schema": Case(document(b"{", b".configsvc/schemas/nginx.json"), "nginx.json:1:"),
    "a malformed principal": Case(document(b"a: [", b".configsvc/principals/eve.yaml"), "eve.yaml:"),
    "1,000 broken documents": Case(
        lambda p: p.files({b"x/d%d.json" % n: b"{" for n in range(1000)}), "and 950 more"
    ),
}
