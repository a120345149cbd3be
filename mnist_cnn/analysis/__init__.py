"""What a trained network computes, why, and how well: arrays, figures, a page."""
