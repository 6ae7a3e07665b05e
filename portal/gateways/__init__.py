"""Whoever moves money, behind one Protocol (`base.Gateway`). No Flask and no Peewee below this line."""
