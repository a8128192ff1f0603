"""The symbolic half of a fusion, rules on what the operators report: loss, prompt optimizer, graphs."""
