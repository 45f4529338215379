"""What a reader gets: terminal, JSON, documents."""
