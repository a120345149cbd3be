"""What every part of the package stands on: errors, files written whole or not at all, pictures read."""
