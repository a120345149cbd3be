"""Files: written whole or not at all, arrays and records in them, downloads."""
