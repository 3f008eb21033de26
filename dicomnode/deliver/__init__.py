"""The outbox, C-STORE to the PACS, and Storage Commitment."""
