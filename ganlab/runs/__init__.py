"""Trains, resumes, evaluates and summarises single runs."""
