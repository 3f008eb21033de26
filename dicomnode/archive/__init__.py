"""Files of received instances: kept, looked up, exported, retired."""
