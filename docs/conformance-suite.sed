# Turns the suite of Valkey 8.0.1 back to what Redis 7.4 has, in a scratch copy of its `tests/`:
#   sed -i -f docs/conformance-suite.sed tests/integration/*.tcl tests/unit/auth.tcl
# How to use it, and why: docs/conformance.md.

# Dual-channel replication is Valkey's alone. Loops over it run once, without it; loops over something
# else beside it keep their rounds.
/config set dual-channel-replication-enabled/d
s/^\( *foreach\) dualchannel {[^}]*}/\1 dualchannel {no}/
s/^\( *foreach .*\) dualchannel {[^}]*}/\1 dualchannel {no no}/

# Valkey's words in the log, where Redis still has the old ones.
s/Timeout connecting to the PRIMARY/Timeout connecting to the MASTER/
s/This primary is sending an error to its replica/This master is sending an error to its replica/

# Until there are functions and scripts: none is loaded or called where that stands beside tests of
# something else, and a script of one command is that command.
/ [fF][uU][nN][cC][tT][iI][oO][nN] load .*{#!lua/,/^ *}$/d
/\[\$replica fcall test 0\]/d
s/ eval {redis\.call("\(flush[a-z]*\)")} 0/ \1/
s/ eval "\(return \)\{0,1\}redis\.call('\([a-z]*\)','foo'\(,'\{0,1\}\([a-z0-9]*\)'\{0,1\}\)\{0,1\})" 0/ \2 foo \4/
