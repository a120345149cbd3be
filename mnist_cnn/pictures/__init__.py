"""Picture files, read as images that a network knows: ink, digits, photographs."""
