"""How `predict` writes an answer: as text, as JSON lines or as CSV."""

import csv
import json


class TextRows:
    """`path: label 93.1%, label 2.0%`; of WordNet's lemmas the first."""

    def __init__(self, stream):
        self.stream = stream
        # File names may hold bytes that are no text; they leave as they came.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="surrogateescape")

    def write(self, path, guesses):
        self._line(f"{path}: " + ", ".join(f"{_short(guess)} {guess.probability:.1%}" for guess in guesses))

    def write_error(self, path, error):
        """Nothing: standard error has it."""

    def _line(self, text):
        self.stream.write(text + "\n")
        # At once: who reads the pipe gets each answer when it is there, and an interruption loses none.
        self.stream.flush()


class JsonRows(TextRows):
    """A JSON object a line: path and predictions, or path and error."""

    def write(self, path, guesses):
        self._line(json.dumps({"path": path, "predictions": [guess._asdict() for guess in guesses]}))

    def write_error(self, path, error):
        self._line(json.dumps({"path": path, "error": str(error)}))


class CsvRows(TextRows):
    """A header, then a line a guess: path, rank from 1, wnid, label, probability."""

    def __init__(self, stream):
        super().__init__(stream)
        self.writer = csv.writer(stream, lineterminator="\n")
        self._rows([("path", "rank", "wnid", "label", "probability")])

    def write(self, path, guesses):
        self._rows(
            (path, rank, guess.wnid or "", guess.label, f"{guess.probability:.6g}")
            for rank, guess in enumerate(guesses, 1)
        )

    def _rows(self, rows):
        self.writer.writerows(rows)
        self.stream.flush()


def _short(guess):
    return guess.label if guess.wnid is None else guess.label.split(",")[0]
