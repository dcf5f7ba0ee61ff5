-- Run once, when the database is made.
create extension if not exists vector;
