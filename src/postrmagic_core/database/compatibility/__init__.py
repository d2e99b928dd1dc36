"""Whether the release that runs can live with revisions while they are applied: each judged by what it does."""
