"""ENTP turns the low-quality rows of an instruction-tuning pool into good training rows.

The repository root is this package; its rooms, each importing only from those below it:

cli          one command per stage: parse, call one function, print
pipeline     the stages in order, the run folder, settings, wiring of the real parts
graph        the symbolic half of a fusion, rules: strategies, loss, the prompt optimizer, the graphs
nodes        the neural half, a model's judgement: every operator that asks the language model, one a file
prompts      templates as text files, their typed inputs, rendering
selection    numerics: ratings to scores, neighbours, clusters, representatives, pairs
checkpoints  stores behind interfaces: the ledger of calls, a run's tables, LangGraph's saver
providers    chat model, embedded model server, encoders: the only code that knows a vendor
formats      pool readers and training-set writers
records      the types that the rooms share
"""
