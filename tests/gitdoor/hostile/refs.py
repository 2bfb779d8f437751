"""Refs and tags that must not pass."""

from __future__ import annotations

from tests.gitdoor.hostile.case import MAIN, PROPOSAL, Case, Make
from tests.gitdoor.plumbing import Plumber


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


def _first(plumber: Plumber) -> str:
    return plumber.clone.git("rev-list", "--max-parents=0", "HEAD")


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
    "a tag rewritten": Case(_first, "written once", ("refs/tags/v1",), ("--force",)),
    "a tag of a file": Case(_tag("blob"), "expected: a commit", ("refs/tags/x",)),
    "a tag of a folder": Case(_tag("tree"), "expected: a commit", ("refs/tags/x",)),
    "a tag of a tag of a tag": Case(_tag("commit", 3), "expected: a commit", ("refs/tags/x",)),
    "a file as a tag": Case(lambda p: p.blob("loose\n"), "expected: a commit", ("refs/tags/x",)),
    "a file as a proposal": Case(lambda p: p.blob("loose\n"), "", (PROPOSAL,)),
    "a tag as a proposal": Case(_tag("commit"), "", (PROPOSAL,)),
    "a tag for main": Case(_tag("commit"), "", (MAIN,)),
    "a file for main": Case(lambda p: p.blob("loose\n"), "", (MAIN,)),
}
