"""The child process of `Bounded`. Its arguments are the file of a module, the name of a function in
it, and the limits. For each call, stdin has a line of JSON, [label, size in bytes], and then the
content; each answer is a line of JSON on stdout.
"""

from __future__ import annotations

import json
import resource
import runpy
import sys


def main(module_path: str, function_name: str, cpu_s: int, memory_bytes: int) -> None:
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))
    function = runpy.run_path(module_path)[function_name]
    while line := sys.stdin.buffer.readline():
        label, size_bytes = json.loads(line)
        content = sys.stdin.buffer.read(size_bytes)
        if len(content) < size_bytes:  # the input limit cut it off
            break
        sys.stdout.write(json.dumps(function(label, content)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
