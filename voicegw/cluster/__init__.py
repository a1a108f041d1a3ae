"""Several nodes as one: who is there, who has which call, what all of them know, and what one may do at a time."""
