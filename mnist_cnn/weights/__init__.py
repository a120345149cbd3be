"""Files of weights of other programs: import and export."""
