"""What every part of the package stands on: errors, files, batches, pictures."""
