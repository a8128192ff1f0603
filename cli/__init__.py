"""One command per stage and one for all: parse, call one function, print."""
