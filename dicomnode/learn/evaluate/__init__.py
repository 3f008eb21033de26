"""What a candidate is worth: answers on held-out patients, statistics, and the gate."""
