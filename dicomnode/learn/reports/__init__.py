"""Report text: it comes by HL7 v2 or as Basic Text SR, and a labeler reads findings from it."""
