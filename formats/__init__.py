"""Pool files in, training files out.

pool            `open_pool`, `read_pool`: rows of any known file, and the records that are not rows
shapes          the table of shapes: how a record becomes turns, and turns a record
message_trees   conversations out of trees of messages
json_records    records of JSON and JSON Lines files, one at a time
arrow_records   records of Parquet files and Hugging Face data sets, a few at a time
misfit          what is wrong with one record
export          `write_rows`: a training file that appears whole or not at all
parquet_export  the Parquet half of it
text_form       the `### User` / `### Assistant` text form and its parser
"""
