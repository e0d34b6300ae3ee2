# Turns the suite of Valkey 8.0.1 back to what Redis 7.4 has, in a scratch copy of its `tests/`:
#   find tests -name '*.tcl' -exec sed -i -f docs/conformance-suite.sed {} +
# How to use it, and why: docs/conformance.md.

# Dual-channel replication is Valkey's alone. Loops over it run once, without it; loops over something
# else beside it keep their rounds.
/config set dual-channel-replication-enabled/d
s/^\( *foreach\) dualchannel {[^}]*}/\1 dualchannel {no}/
s/^\( *foreach .*\) dualchannel {[^}]*}/\1 dualchannel {no no}/

# Valkey's words in the log, where Redis still has the old ones.
s/Timeout connecting to the PRIMARY/Timeout connecting to the MASTER/
s/This primary is sending an error to its replica/This master is sending an error to its replica/
