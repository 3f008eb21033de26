"""Reports as HL7 v2 ORU^R01 over MLLP: frames, the message, what is kept of it, and the listener."""
