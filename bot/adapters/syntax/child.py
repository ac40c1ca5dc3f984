"""The child process. Its arguments are a module's file, a function's name, and limits; on stdin
stands for each call a line of JSON, [label, size in bytes], with the bytes below it; each answer is
a line of JSON on stdout.
"""

from __future__ import annotations

import json
import resource
import runpy
import sys


def main(path: str, function: str, cpu_s: int, memory_bytes: int) -> None:
    for limit, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    call = runpy.run_path(path)[function]
    while line := sys.stdin.buffer.readline():
        label, size_bytes = json.loads(line)
        content = sys.stdin.buffer.read(size_bytes)
        if len(content) < size_bytes:
            break
        sys.stdout.write(json.dumps(call(label, content)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
