"""Histories that must not pass."""

from __future__ import annotations

from collections.abc import Callable

from tests.gitdoor.hostile.case import MAIN, Case, Make, file
from tests.gitdoor.plumbing import FILE, Plumber


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
    "both names of main": Case(file(b"b.json", b"{}\n"), "named twice", (MAIN, "refs/heads/main")),
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
    "--atomic": Case(file(b"at.json", b"{}\n"), "atomic", options=("--atomic",)),
    "what main has changed too": Case(
        lambda p: p.files({b"nginx.json": b'{"mine": 1}\n'}, _born(p)),
        "changed on main meanwhile too",
    ),
}
