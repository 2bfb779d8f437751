"""Pushes that must not pass, a function each, by what they try."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.gitdoor.plumbing import FILE, Plumber

MAIN, PROPOSAL = "refs/for/main", "refs/heads/proposal"
Make = Callable[[Plumber], str]


class Case(NamedTuple):
    """A push: what it pushes where, and words that its refusal must have."""

    make: Make
    words: str
    refs: tuple[str, ...] = (MAIN,)
    options: tuple[str, ...] = ()


def _file(path: bytes, content: bytes = b"x\n", mode: str = FILE) -> Make:
    return lambda plumber: plumber.files({path: (mode, plumber.blob(content))})


def _document(content: bytes, path: bytes = b"doc.json") -> Make:
    return _file(path, content)


def _raw_entry(mode: str, name: bytes) -> Make:
    """A tree with an entry that is written as it stands."""

    def make(plumber: Plumber) -> str:
        entries = [(each, path, id_) for path, (each, id_) in plumber.folder().items()]
        return plumber.commit(plumber.tree([*entries, (mode, name, plumber.blob("x\n"))]))

    return make


MODES = {
    "a symbolic link": Case(_file(b"link", b"/etc/passwd", "120000"), "symbolic link"),
    "a symbolic link to .git": Case(_file(b"link", b".git/config", "120000"), "symbolic link"),
    "a symbolic link as a document": Case(_file(b"link.json", b"nginx.json", "120000"), "symbolic link"),
    "a symbolic link in a folder": Case(_file(b"a/b/link", b"../../x", "120000"), "a/b/link"),
    "a symbolic link in a proposal": Case(_file(b"link", b"x", "120000"), "symbolic link", (PROPOSAL,)),
    "a submodule": Case(lambda p: p.files({b"sub": ("160000", "1" * 40)}), "submodule"),
    "a submodule in a proposal": Case(
        lambda p: p.files({b"sub": ("160000", "1" * 40)}), "submodule", (PROPOSAL,)
    ),
    "a program as a document": Case(_file(b"run.json", b"{}\n", "100755"), "mode: 100755"),
    "a file for the group": Case(_file(b"notes", b"x", "100664"), "mode"),
    "a file for all": Case(_file(b"notes", b"x", "100666"), "mode"),
    "a setuid file": Case(_file(b"notes", b"x", "104755"), "mode"),
    "a mode of nothing": Case(_raw_entry("0", b"notes"), ""),
    "a mode of one digit": Case(_raw_entry("7", b"notes"), ""),
    "a mode with a zero before it": Case(_raw_entry("0100644", b"notes"), ""),
    "a device": Case(_raw_entry("60000", b"dev"), ""),
    "a fifo": Case(_raw_entry("10000", b"fifo"), ""),
    "a mode that is no number": Case(_raw_entry("10064x", b"notes"), ""),
    "a folder of another mode": Case(_raw_entry("40755", b"folder"), ""),
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
    f"a file called {ascii(name)[:60]} in {ref}": Case(_file(name), "", (ref,))
    for ref in (MAIN, PROPOSAL)
    for name in _NAMES
}

LAYOUT = {
    "a capital": Case(_file(b"Nginx2.json", b"{}"), "nginx2.json"),
    "a .yml": Case(_file(b"web.yml", b"a: 1\n"), "web.yaml"),
    "a blank in a name": Case(_file(b"a b.json", b"{}"), "a-b.json"),
    "a second file of a service": Case(_file(b"nginx.yaml", b"a: 1\n"), "one file for one service"),
    "a folder like a document": Case(_file(b"x.json/y.json", b"{}"), "folder"),
    "names that differ by case": Case(
        lambda p: p.files({b"Notes.txt": b"1", b"notes.txt": b"2"}), "case does not count"
    ),
    "names that differ by form": Case(
        lambda p: p.files({"caf\u00e9.txt".encode(): b"1", "cafe\u0301.txt".encode(): b"2"}), "one name"
    ),
    "an odd place below .configsvc": Case(_file(b".configsvc/hooks/x", b"x"), "not one of configsvc's files"),
    "another spelling of .configsvc": Case(_file(b".ConfigSvc/services/x.yaml", b"x"), ".configsvc"),
    ".configsvc as a file": Case(_file(b".configsvc", b"x"), ""),
    "the attributes removed": Case(lambda p: p.files({b".gitattributes": None}), "removed"),
    "a reserved suffix": Case(_file(b"x.lock.json", b"{}"), "name"),
    "a schema for nobody": Case(_file(b".configsvc/schemas/X Y.json", b"{}"), "not one of"),
}

DOCUMENTS = {
    "JSON that is cut short": Case(_document(b'{"a": '), "doc.json:1:"),
    "JSON with a key twice": Case(_document(b'{\n "a": 1,\n "a": 2}'), "doc.json:3:"),
    "JSON with NaN": Case(_document(b'{"a": NaN}'), "doc.json:1:"),
    "a JSON list": Case(_document(b"[1]"), "doc.json"),
    "a JSON number": Case(_document(b"1"), "doc.json"),
    "an empty file": Case(_document(b""), "doc.json"),
    "JSON that is not UTF-8": Case(_document(b'{"a": "\xff"}'), "doc.json"),
    "JSON too deep": Case(_document(b'{"a":' + b"[" * 70 + b"]" * 70 + b"}"), "depth"),
    "JSON far too deep": Case(_document(b'{"a":' + b"[" * 100_000), "depth"),
    "JSON with too many nodes": Case(_document(b'{"a":[' + b"1," * 110_000 + b"1]}"), "nodes"),
    "JSON too large": Case(_document(b'{"a":"' + b"x" * (1 << 20) + b'"}'), "bytes"),
    "YAML far too deep": Case(_document(b"a: " + b"[" * 80_000, b"doc.yaml"), "depth"),
    "YAML with a tag": Case(_document(b"a: !!python/object:os.system x\n", b"doc.yaml"), "doc.yaml:1:"),
    "YAML that multiplies": Case(
        _document(
            b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
            + b"".join(
                b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 9)
            ),
            b"doc.yaml",
        ),
        "doc.yaml",
    ),
    "two YAML documents": Case(_document(b"a: 1\n---\nb: 2\n", b"doc.yaml"), "doc.yaml"),
    "YAML with tabs": Case(_document(b"a:\n\t- b\n", b"doc.yaml"), "doc.yaml:2:"),
    "a malformed meta file": Case(
        _document(b"enabled: maybe\n", b".configsvc/services/nginx.yaml"), "enabled"
    ),
    "a malformed schema": Case(_document(b"{", b".configsvc/schemas/nginx.json"), "nginx.json:1:"),
    "a malformed principal": Case(_document(b"a: [", b".configsvc/principals/eve.yaml"), "eve.yaml:"),
    "1,000 broken documents": Case(
        lambda p: p.files({b"x/d%d.json" % n: b"{" for n in range(1000)}), "and 950 more"
    ),
}


def _bad_in_the_middle(plumber: Plumber) -> str:
    good = plumber.files({b"m.json": b'{"a": 1}\n'})
    bad = plumber.files({b"m.json": b'{"a": \n'}, good)
    return plumber.files({b"m.json": b'{"a": 2}\n'}, bad)


def _link_in_the_middle(plumber: Plumber) -> str:
    bad = plumber.files({b"link": ("120000", plumber.blob("x"))})
    return plumber.files({b"m.json": b"{}\n"}, bad)


def _link_on_a_side_branch(plumber: Plumber) -> str:
    side = plumber.files({b"link": ("120000", plumber.blob("x"))})
    return plumber.files({b"m.json": b"{}\n"}, plumber.clone.head, side)


def _unrelated(plumber: Plumber) -> str:
    tree = plumber.root({b"new.json": (FILE, plumber.blob("{}\n"))})
    commit = f"tree {tree}\nauthor E <e@x> 1 +0000\ncommitter E <e@x> 1 +0000\n\nroot\n"
    return plumber.put("commit", commit.encode())


def _born(plumber: Plumber) -> str:
    """The commit that nginx came into being with."""
    return plumber.clone.git("log", "--diff-filter=A", "--format=%H", "--", "nginx.json")


def _rewritten(plumber: Plumber) -> str:
    """The newest commit of main once more, with another message."""
    return plumber.commit(
        plumber.clone.git("rev-parse", "HEAD^{tree}"),
        plumber.clone.git("rev-parse", "HEAD~1"),
        message=b"Rewritten\n",
    )


def _foxtrot(plumber: Plumber) -> str:
    mine = plumber.files({b"fox.json": b"{}\n"}, plumber.clone.git("rev-parse", "HEAD~1"))
    return plumber.files({b"fox.json": b"{}\n"}, mine, plumber.clone.head)


def _raw_commit(change: Callable[[bytes], bytes]) -> Make:
    def make(plumber: Plumber) -> str:
        tree = plumber.root({b"raw.json": (FILE, plumber.blob("{}\n"))})
        lines = f"tree {tree}\nparent {plumber.clone.head}\n"
        who = "E <e@example.com> 1700000000 +0000"
        return plumber.put("commit", change(f"{lines}author {who}\ncommitter {who}\n\nMessage\n".encode()))

    return make


def _many_commits(plumber: Plumber) -> str:
    stream = b"".join(
        b"commit refs/heads/many\ncommitter E <e@example.com> 1700000000 +0000\ndata 1\nx"
        + (b"\nfrom " + plumber.clone.head.encode() if n == 0 else b"")
        + b"\nM 100644 inline many.json\ndata %d\n%s\n" % (len(b'{"n": %d}\n' % n), b'{"n": %d}\n' % n)
        for n in range(2001)
    )
    plumber.clone.git("fast-import", "--quiet", "--force", stdin=stream)
    return plumber.clone.git("rev-parse", "refs/heads/many")


HISTORY = {
    "a bad document in the middle commit": Case(_bad_in_the_middle, "m.json:"),
    "a symbolic link in the middle commit": Case(_link_in_the_middle, "symbolic link"),
    "a symbolic link on a merged branch": Case(_link_on_a_side_branch, "symbolic link"),
    "a foxtrot to main": Case(_foxtrot, "push to refs/for/main", ("refs/heads/main",), ("--force",)),
    "main rewritten": Case(_rewritten, "push to refs/for/main", ("refs/heads/main",), ("--force",)),
    "main deleted": Case(lambda p: "", "not to be deleted", ("refs/heads/main",)),
    "refs/for/main deleted": Case(lambda p: "", "", (MAIN,)),
    "both names of main": Case(_file(b"b.json", b"{}\n"), "named twice", (MAIN, "refs/heads/main")),
    "an unrelated history": Case(_unrelated, "common ancestors"),
    "an enabled service deleted": Case(lambda p: p.files({b"nginx.json": None}), "enabled: false"),
    "a service disabled and deleted at once": Case(
        lambda p: p.files({b"nginx.json": None, b".configsvc/services/nginx.yaml": b"enabled: false\n"}),
        "enabled",
    ),
    "a deletion that leaves its meta file": Case(
        lambda p: p.files(
            {b"nginx.json": None, b".configsvc/services/nginx.yaml": b"enabled: false\n"},
            p.files({b".configsvc/services/nginx.yaml": b"enabled: false\n"}),
        ),
        "removed in the same commit",
    ),
    "a commit in the server's name": Case(
        lambda p: p.commit(p.root({}), committer=b"configsvc <configsvc@configsvc.invalid>"), "committer"
    ),
    "the server as author": Case(
        lambda p: p.commit(
            p.root({}), who=b"x <ConfigSvc@configsvc.invalid>", committer=b"Eve <eve@example.com>"
        ),
        "author configsvc@",
    ),
    "a commit from the future": Case(lambda p: p.commit(p.root({}), when=4_000_000_000), "not in the future"),
    "a NUL in a message": Case(lambda p: p.commit(p.root({}), message=b"a\0b\n"), ""),
    "a message of 100 KB": Case(lambda p: p.commit(p.root({}), message=b"x" * 100_000), "bytes"),
    "a message of 20 MB": Case(lambda p: p.commit(p.root({}), message=b"x" * 20_000_000), "bytes"),
    "a commit without author": Case(
        _raw_commit(lambda c: b"\n".join(line for line in c.split(b"\n") if not line.startswith(b"author"))),
        "",
    ),
    "a commit without committer": Case(
        _raw_commit(
            lambda c: b"\n".join(line for line in c.split(b"\n") if not line.startswith(b"committer"))
        ),
        "",
    ),
    **{
        f"a second {name} line": Case(
            _raw_commit(lambda c, line=line: c.replace(b"\n\n", b"\n" + line + b"\n\n", 1)),  # type: ignore[misc]
            "",
        )
        for name, line in {
            "committer in the server's name": b"committer x <configsvc@configsvc.invalid> 1700000000 +0000",
            "committer of another age": b"committer E <e@example.com> 999999999999999 +0000",
            "committer of no meaning": b"committer garbage",
            "author": b"author admin <admin@configsvc.invalid> 1700000000 +0000",
            "parent": b"parent " + b"1" * 40,
            "tree": b"tree " + b"1" * 40,
        }.items()
    },
    "a committer of the server's name in UTF-7": Case(
        _raw_commit(
            lambda c: c.replace(
                b"committer E <e@example.com>", b"committer +AGM-onfigsvc <+AGM-onfigsvc@configsvc.invalid>"
            ).replace(b"\n\n", b"\nencoding UTF-7\n\n", 1)
        ),
        "encoding 'UTF-7'",
    ),
    "an author with a bracket too many": Case(_raw_commit(lambda c: c.replace(b"<e@", b"<e<@")), ""),
    "a date that is no number": Case(_raw_commit(lambda c: c.replace(b"1700000000", b"yesterday")), ""),
    "a date beyond 64 bits": Case(_raw_commit(lambda c: c.replace(b"1700000000", b"9" * 30)), ""),
    "a NUL in an author": Case(_raw_commit(lambda c: c.replace(b"E <", b"E\0F <")), ""),
    "an empty tree": Case(
        lambda p: p.commit("4b825dc642cb6eb9a060e54bf8d69288fbee4904"), "removed while its service is enabled"
    ),
    "2,001 commits": Case(_many_commits, "commits"),
    "--atomic": Case(_file(b"at.json", b"{}\n"), "atomic", options=("--atomic",)),
    "what main has changed too": Case(
        lambda p: p.files({b"nginx.json": b'{"mine": 1}\n'}, _born(p)),
        "changed on main meanwhile too",
    ),
}


def _ten_thousand(plumber: Plumber) -> str:
    blob = plumber.blob("{}\n")
    inner = plumber.tree([(FILE, b"s%05d.json" % n, blob) for n in range(10_000)])
    return plumber.files({b"many": ("40000", inner)})


def _nine_megabytes(plumber: Plumber) -> str:
    blob = plumber.blob("x")
    wide = plumber.tree([(FILE, b"%0200d" % n, blob) for n in range(40_000)])
    return plumber.files({b"wide": ("40000", wide)})


def _tree_bomb(plumber: Plumber) -> str:
    """10^12 files in 13 objects."""
    node = (FILE, plumber.blob("x\n"))
    for _ in range(12):
        node = ("40000", plumber.tree([(node[0], b"f%d" % n, node[1]) for n in range(10)]))
    return plumber.files({b"bomb": node})


def _hollow_bomb(plumber: Plumber) -> str:
    """10^12 folders without a single file."""
    node = ("40000", plumber.tree([]))
    for _ in range(12):
        node = ("40000", plumber.tree([(node[0], b"f%d" % n, node[1]) for n in range(10)]))
    return plumber.files({b"bomb": node})


def _deep(plumber: Plumber) -> str:
    node = (FILE, plumber.blob("x\n"))
    for _ in range(500):
        node = ("40000", plumber.tree([(node[0], b"d", node[1])]))
    return plumber.files({b"deep": node})


def _twice(plumber: Plumber) -> str:
    entries = [(mode, name, id_) for name, (mode, id_) in plumber.folder().items()]
    blob = plumber.blob("x\n")
    return plumber.commit(plumber.tree([*entries, (FILE, b"zz", blob), (FILE, b"zz", plumber.blob("y\n"))]))


def _unsorted(plumber: Plumber) -> str:
    entries = [(mode, name, id_) for name, (mode, id_) in plumber.folder().items()]
    return plumber.commit(
        plumber.tree([*reversed(entries), (FILE, b"aa", plumber.blob("x\n"))], is_sorted=False)
    )


SIZES = {
    "10,000 files": Case(_ten_thousand, "files"),
    "10^12 files": Case(_tree_bomb, ""),
    "10^12 folders": Case(_hollow_bomb, "an empty folder"),
    "an empty folder in a proposal": Case(
        lambda p: p.files({b"hollow": ("40000", p.tree([]))}), "an empty folder", (PROPOSAL,)
    ),
    "500 folders deep": Case(_deep, "deeper"),
    "500 folders deep in a proposal": Case(_deep, "deeper", (PROPOSAL,)),
    "a blob of 40 MB": Case(_file(b"big.bin", b"\0" * (40 << 20)), "bytes"),
    "a blob of 40 MB in a proposal": Case(_file(b"big.bin", b"\0" * (40 << 20)), "bytes", (PROPOSAL,)),
    "a name twice in a folder": Case(_twice, ""),
    "a folder out of order": Case(_unsorted, ""),
    "a folder of 9 MB": Case(_nine_megabytes, "bytes"),
}


def _tag(kind: str, depth: int = 1) -> Make:
    def make(plumber: Plumber) -> str:
        target = {
            "blob": lambda: plumber.blob("x\n"),
            "tree": lambda: plumber.clone.git("rev-parse", "HEAD^{tree}"),
            "commit": lambda: plumber.clone.head,
        }[kind]()
        for number in range(depth):
            target = plumber.put(
                "tag",
                f"object {target}\ntype {kind if number == 0 else 'tag'}\ntag t\n"
                "tagger E <e@example.com> 1700000000 +0000\n\nx\n".encode(),
            )
        return target

    return make


def _head(plumber: Plumber) -> str:
    return plumber.clone.head


def _old(plumber: Plumber) -> str:
    return plumber.clone.git("rev-parse", "HEAD~1")


REFS = {
    f"a push to {ref}": Case(_head, words, (ref,), ("--force",))
    for ref, words in {
        "refs/replace/" + "1" * 40: "not to be pushed",
        "refs/notes/commits": "not to be pushed",
        "refs/stash": "not to be pushed",
        "refs/remotes/origin/x": "not to be pushed",
        "refs/changes/1": "not to be pushed",
        "refs/for/other": "not to be pushed",
        "refs/for/main/x": "not to be pushed",
        "refs/for/main2": "not to be pushed",
        "refs/bisect/bad": "not to be pushed",
        "refs/configsvc/x": "not to be pushed",
        "refs/heads/HEAD": "another name",
        "refs/heads/Main": "another name",
        "refs/heads/main/x": "another name",
        "refs/heads/MAIN/x": "another name",
        "refs/tags/main": "another name",
        "refs/tags/heads/main": "another name",
        "refs/heads/refs/heads/main": "another name",
        "refs/heads/origin/main": "another name",
        "refs/heads/for/main": "another name",
        "refs/tags/FETCH_HEAD": "another name",
        "refs/heads/" + "1a" * 20: "commit id",
        "refs/heads/con": "device name",
        "refs/tags/x/NUL.1": "device name",
        "refs/heads/a.git": ".git",
        "refs/heads/a.LOCK": ".lock",
        "refs/tags/V1": "only by case",
        "refs/heads/caf\u00e9": "name",
        "refs/heads/a'b": "name",
        "refs/heads/$(id)": "name",
        "refs/heads/`id`": "name",
        "refs/heads/" + "x" * 220: "name",
        "refs/tags/caf\u00e9": "name",
        "refs/tags/v1/x": "not below another",
    }.items()
} | {
    "a tag rewritten": Case(_old, "written once", ("refs/tags/v1",), ("--force",)),
    "a tag of a file": Case(_tag("blob"), "expected: a commit", ("refs/tags/x",)),
    "a tag of a folder": Case(_tag("tree"), "expected: a commit", ("refs/tags/x",)),
    "a tag of a tag of a tag": Case(_tag("commit", 3), "expected: a commit", ("refs/tags/x",)),
    "a file as a tag": Case(lambda p: p.blob("loose\n"), "expected: a commit", ("refs/tags/x",)),
    "a file as a proposal": Case(lambda p: p.blob("loose\n"), "", (PROPOSAL,)),
    "a tag as a proposal": Case(_tag("commit"), "", (PROPOSAL,)),
    "a tag for main": Case(_tag("commit"), "", (MAIN,)),
    "a file for main": Case(lambda p: p.blob("loose\n"), "", (MAIN,)),
}

KINDS = {
    "modes": MODES,
    "names": NAMES,
    "layout": LAYOUT,
    "documents": DOCUMENTS,
    "history": HISTORY,
    "sizes": SIZES,
    "refs": REFS,
}

CASES = {name: case for kind in KINDS.values() for name, case in kind.items()}
