"""Trajectories with their radius (`reference`), and exact ones in ball arithmetic (`balls`)."""
