"""Optimizers at a noisy minimum and along valleys: draws by replica, moments and replicas carried on, step by step."""
