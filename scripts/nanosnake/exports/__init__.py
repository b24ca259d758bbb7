"""What other tools load: one module per format, and the table of all of them."""
