"""How the iterations are carried out: same results, different speed."""
