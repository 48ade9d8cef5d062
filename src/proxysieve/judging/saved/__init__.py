"""READS saved responses, in any form."""

from proxysieve.judging.saved.reader import files_of, read_saved
from proxysieve.judging.saved.response import Defaults, Saved

__all__ = ["Defaults", "Saved", "files_of", "read_saved"]
