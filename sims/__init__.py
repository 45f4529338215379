"""What is run: iterations, files, devices, pictures and the command."""
