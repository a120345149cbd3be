"""The ground floor: errors, signals, the process, the machine."""
