-- no keys, no arguments.
return {now}
