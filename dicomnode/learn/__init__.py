"""The lower line: labels that readers leave, and what is learnt from them.

    harvest ─► split ─► sets ─► train ─► evaluate ─► gate ─► paper ─► shadow ─► promote
    reports ┘ (text)            adapters ┘                            └─── versions ───┘   watch

`learning.py` is the order. Torch is imported by `train`, `adapters`, `evaluate.answer` and what a child process does,
never by harvest, split, gate or versions: the engine runs those.
"""
