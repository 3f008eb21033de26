"""What a person looks at: the Secondary Capture and the PDF report, of the same words, figures and views."""
