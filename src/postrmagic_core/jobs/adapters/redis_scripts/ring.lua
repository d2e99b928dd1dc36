-- Give back a token that was taken by one who has no use for it. ARGV: the bell's queue.
ring(ARGV[2])
return 0
