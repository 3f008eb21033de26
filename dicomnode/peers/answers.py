"""Answers that a sender waits for reach it, and nobody else.

An association of pynetdicom (3.0) has a reactor of its own, which takes messages from the same queue as the call that
waits for an answer. The call pauses it by a flag that the reactor also shows for a moment while it goes on; on a busy
machine, about one call in some hundreds then loses its answer to the reactor, and waits for it until its time is up.
"""

from typing import Any

from pynetdicom.association import Association


def keep_answers(association: Association) -> Association:
    """Have the reactor put back what it takes while a call waits for an answer; the same association."""
    provider, checkpoint = association.dimse, association._reactor_checkpoint
    take = provider.get_msg

    def get_msg(block: bool = False) -> Any:  # noqa: ANN401 - context id and message, or None twice
        taken = take(block)
        if block or checkpoint.is_set() or taken[1] is None:
            return taken
        provider.msg_queue.put(taken)
        return None, None

    provider.get_msg = get_msg
    return association
