"""How figures are laid out, and their colours."""
