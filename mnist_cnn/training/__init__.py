"""What a training is made of beside the lesson: its settings, engine, callbacks."""
