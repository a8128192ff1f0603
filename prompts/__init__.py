"""Templates as text files, their typed inputs, and how the two become the messages of a call.

inputs      one record per template; its fields are exactly the template's placeholders
data_line   a value as one line of JSON that cannot become structure
render      template and input to messages, with the hash that the ledger keeps
strategies  the nine merging strategies and which three of them a relationship calls for

The texts lie in full/ (for capable models) and compact/ (for models of a few hundred million parameters).
SOURCES.md says which figure of arXiv 2510.23160 each of them stands for.
"""
