"""Whether reviews turn wrong changes right, and right ones wrong: 100 commits of public history, and
100 others with one planted fault each, reviewed by a model.

    python -m tests.benchmarks.flips ask REPOSITORIES OUT [ID ...]
    python -m tests.benchmarks.flips grade OUT

REPOSITORIES holds bare repositories as `owner+name`. `ask` plays each case as far as there are
replies in OUT/replies (`ID.NUMBER.txt`), and writes the next request to OUT/requests; with
OPENAI_API_KEY or OPENAI_BASE_URL set, it asks the model itself. The commit's message is the task,
and what its author says of the change.
"""
