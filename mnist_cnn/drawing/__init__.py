"""Layout and colours of figures."""
