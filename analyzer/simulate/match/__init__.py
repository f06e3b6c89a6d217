"""The matches of a rule as three-valued conditions on a packet."""
