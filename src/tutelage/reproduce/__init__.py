"""The papers' tables and figures, measured again: each a small script over everything below."""
