"""What the node knows: studies, instances, runs, results, deliveries."""
