"""Convert picture files to a network's images: ink, digits, photographs."""
