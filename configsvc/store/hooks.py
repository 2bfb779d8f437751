"""The hooks that a repository has: what git runs, each written afresh whenever the repository is opened.

`reference-transaction` keeps `main` from being moved by git.  `pre-receive` and
`proc-receive` know nothing themselves: they put what a push wants to the
running service, through its socket, and tell its answer.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

_GUARD = """#!/bin/sh
# Written by configsvc at each start; changes are lost.
# main moves only through configsvc's writer, which does not run this hook.
[ "$1" = prepared ] || exit 0
while read -r old new ref; do
    # git reset may "move" main to where it is; a deletion has nothing but zeros on both sides.
    case "$old" in *[!0]*) [ "$old" = "$new" ] && continue ;; esac
    if [ "$ref" = refs/heads/main ]; then
        echo "configsvc: main moves only through configsvc." >&2
        echo "configsvc: run 'configsvc commit' to take the edits made here through its checks," >&2
        echo "configsvc: or 'git push . HEAD:refs/for/main' to land commits." >&2
        exit 1
    fi
done
exit 0
"""

_ASK = '''# Written by configsvc at each start; changes are lost.
# Puts a push to the running service and tells its answer.  Runs in the repository's .git folder.
import json, os, re, socket, sys

SOCKET = "configsvc/door.sock"
MAX_UPDATES = 1000
TIMEOUT_S = 300
UNSURE = ("outcome-unknown", "no-answer")
UNKNOWN = "(main may have moved or not: fetch, then see)"


def tell(text):
    for line in text.splitlines():
        print(re.sub(r"[\\x00-\\x1f\\x7f-\\x9f]", "?", line), file=sys.stderr)
    sys.stderr.flush()


def ask(do, updates):
    """Return the service's answer; one of its own that says what is wrong when there is none."""
    if len(updates) > MAX_UPDATES:
        return failure(f"push: {len(updates)} refs (expected: <= {MAX_UPDATES})")
    request = {
        "do": do,
        "push": os.environ.get("CONFIGSVC_PUSH", ""),
        "quarantine": os.environ.get("GIT_QUARANTINE_PATH", ""),
        "updates": updates,
    }
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.connect(SOCKET)
            connection.sendall(json.dumps(request).encode() + b"\\n")
            with connection.makefile("rb") as lines:
                line = lines.readline()
    except (FileNotFoundError, ConnectionRefusedError):
        return failure("configsvc: no server runs on this repository (expected: one; start it, push again)")
    except OSError as error:
        return failure(f"configsvc: no answer: {error} {UNKNOWN}", "no-answer")
    if not line.endswith(b"\\n"):
        return failure(f"configsvc: the server went away {UNKNOWN}", "no-answer")
    return json.loads(line)


def failure(message, code=""):
    return {"error": code, "message": message}


def parsed(line):
    old, new, ref = line.decode("utf-8", "surrogateescape").rstrip("\\n").split(" ", 2)
    return [old, new, ref]


def pre_receive():
    answer = ask("judge-push", [parsed(line) for line in sys.stdin.buffer])
    if "error" in answer:
        tell(answer["message"])
        return 1
    return 0


def read_packet():
    size = sys.stdin.buffer.read(4)
    if len(size) < 4 or int(size, 16) == 0:
        return None
    return sys.stdin.buffer.read(int(size, 16) - 4)


def packet(text):
    data = text.encode("utf-8", "surrogateescape")
    return b"%04x" % (len(data) + 4) + data


def packets():
    while (data := read_packet()) is not None:
        yield data


def proc_receive():
    # gitprotocol: githooks(5), proc-receive.
    features = b" ".join(packets())
    sys.stdout.buffer.write(packet("version=1\\0atomic\\n") + b"0000")
    sys.stdout.buffer.flush()
    updates = [parsed(line) for line in packets()]
    atomic = b"atomic" in features.replace(b"\\0", b" ").split()
    for update in updates:
        if atomic:
            answer = failure("push: --atomic is not for main (expected: a push without it)")
        else:
            answer = ask("land-push", [update])
        tell(answer["message"])
        ref = update[2]
        if answer.get("error") in UNSURE:
            sys.stdout.buffer.write(packet(f"ng {ref} not known to have landed, see above\\n"))
        elif "error" in answer:
            sys.stdout.buffer.write(packet(f"ng {ref} refused by configsvc, see above\\n"))
        else:
            sys.stdout.buffer.write(packet(f"ok {ref}\\n"))
    sys.stdout.buffer.write(b"0000")
    sys.stdout.buffer.flush()
    return 0


sys.exit({"pre-receive": pre_receive, "proc-receive": proc_receive}[sys.argv[1]]())
'''

_STUB = """#!/bin/sh
# Written by configsvc at each start; changes are lost.
exec {python} -I -S "${{0%/*}}/ask.py" {name}
"""


def write_hooks(folder: Path) -> None:
    """Write every hook into `folder`, where it is not there as it should be.

    Raises:
        OSError: It cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    python = shlex.quote(sys.executable)
    _write(folder / "ask.py", _ASK)
    for name in ("pre-receive", "proc-receive"):
        _write(folder / name, _STUB.format(python=python, name=name))
    _write(folder / "reference-transaction", _GUARD)


def _write(path: Path, text: str) -> None:
    if path.exists() and path.read_text() == text and os.access(path, os.X_OK):
        return
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text)
    temporary.chmod(0o755)
    temporary.rename(path)
