"""The proof steps about convolutional networks on images, a chapter a file."""
