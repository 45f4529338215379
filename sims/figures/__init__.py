"""Figures for papers, one file (or folder) a study; each as PDF and PNG with its caption beside it."""
