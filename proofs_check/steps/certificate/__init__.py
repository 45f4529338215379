"""What a certified trajectory rests on."""
