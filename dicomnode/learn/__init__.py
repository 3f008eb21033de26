"""The lower line: labels that readers leave, and what is learnt from them."""
