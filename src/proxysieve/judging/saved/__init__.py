"""READS saved responses, in any form."""

from proxysieve.judging.saved.reader import files_of, read_saved
from proxysieve.judging.saved.response import Given, Saved

__all__ = ["Given", "Saved", "files_of", "read_saved"]
