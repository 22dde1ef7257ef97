"""How HTTP is spoken here: the edge, the routes, problems and pages of lists. No domain knows of another here."""
