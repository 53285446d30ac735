//! Which episodes there are: CSV files and RSS feeds into episodes.
