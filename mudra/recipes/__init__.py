"""The papers' tables and our own presets: a name becomes a RunConfig.

To add a row: write a function marked with `@row` into recipes/<firstauthor><year>/table<k>.py; it is found by itself.
"""

from mudra.recipes.registry import Expected as Expected
from mudra.recipes.registry import Row as Row
from mudra.recipes.registry import find_recipe as find_recipe
from mudra.recipes.registry import list_recipes as list_recipes
from mudra.recipes.registry import row as row
