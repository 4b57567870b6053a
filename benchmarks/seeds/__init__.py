"""The four published recipes beside this project's trainer."""
